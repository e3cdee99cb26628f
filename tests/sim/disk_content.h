// What a file of the simulated disk holds: as it is read, as it is durable, and the writes between the two.
// One thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct extent {
    char *data;
    int64_t bytes;
    int64_t capacity;
};

// A write, or where data is NULL a cut to `offset` bytes.
struct change {
    char *data;
    int64_t offset;
    int64_t bytes;
};

struct disk_content {
    struct extent present;
    struct extent durable;
    struct change *changes; // since the last sync
    size_t change_count;
    size_t change_capacity;
};

// A write that is not synced, or where data is NULL a cut to `offset` bytes.
void content_change(struct disk_content *content, const void *data, int64_t offset, int64_t bytes);
void content_sync(struct disk_content *content);
// The changes will never be durable, whatever is synced later.
void content_forget_changes(struct disk_content *content);
// Of the changes each is kept, lost or torn by chance.
void content_lose_power(struct disk_content *content);
