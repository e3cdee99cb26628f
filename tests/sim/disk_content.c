// See disk_content.h.
#include "disk_content.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "world.h"

#define SECTOR_BYTES 512

static void extent_write(struct extent *extent, const void *data, int64_t offset, int64_t bytes)
{
    int64_t end = offset + bytes;
    if (end > extent->capacity) {
        extent->capacity = end * 2;
        extent->data = realloc(extent->data, (size_t)extent->capacity);
        REQUIRE(extent->data != NULL);
    }
    if (offset > extent->bytes) {
        memset(extent->data + extent->bytes, 0, (size_t)(offset - extent->bytes));
    }
    memcpy(extent->data + offset, data, (size_t)bytes);
    extent->bytes = end > extent->bytes ? end : extent->bytes;
}

static void extent_apply(struct extent *extent, const struct change *change)
{
    if (change->data != NULL) {
        extent_write(extent, change->data, change->offset, change->bytes);
    } else if (change->offset < extent->bytes) {
        extent->bytes = change->offset;
    }
}

void content_change(struct disk_content *content, const void *data, int64_t offset, int64_t bytes)
{
    if (content->change_count == content->change_capacity) {
        content->change_capacity = content->change_capacity ? content->change_capacity * 2 : 64;
        content->changes = realloc(content->changes, content->change_capacity * sizeof(*content->changes));
        REQUIRE(content->changes != NULL);
    }
    struct change change = {.offset = offset, .bytes = bytes};
    if (data != NULL) {
        change.data = malloc((size_t)bytes);
        REQUIRE(change.data != NULL);
        memcpy(change.data, data, (size_t)bytes);
    }
    content->changes[content->change_count++] = change;
    extent_apply(&content->present, &change);
}

void content_forget_changes(struct disk_content *content)
{
    for (size_t i = 0; i < content->change_count; i++) {
        free(content->changes[i].data);
    }
    content->change_count = 0;
}

// Keeps each sector at random: a disk writes sector by sector.
static void tear(struct extent *extent, const struct change *change)
{
    for (int64_t at = 0; at < change->bytes; at += SECTOR_BYTES) {
        int64_t bytes = change->bytes - at < SECTOR_BYTES ? change->bytes - at : SECTOR_BYTES;
        if (random_below(2) == 0) {
            extent_write(extent, change->data + at, change->offset + at, bytes);
        }
    }
}

void content_lose_power(struct disk_content *content)
{
    uint64_t manner = random_below(4); // all lost, all kept, or each at random
    for (size_t i = 0; i < content->change_count; i++) {
        const struct change *change = &content->changes[i];
        uint64_t fate = manner < 2 ? manner : random_below(3);
        if (fate == 1) {
            extent_apply(&content->durable, change);
        } else if (fate == 2 && change->data != NULL) {
            tear(&content->durable, change);
        }
    }
    content_forget_changes(content);
    content->present.bytes = 0;
    extent_write(&content->present, content->durable.data, 0, content->durable.bytes);
}

void content_sync(struct disk_content *content)
{
    for (size_t i = 0; i < content->change_count; i++) {
        extent_apply(&content->durable, &content->changes[i]);
    }
    content_forget_changes(content);
}
