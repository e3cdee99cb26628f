// See slots.h. Invariant: an owner is in the table exactly while it holds a slot.
#include "api/slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/require.h"
#include "base/table.h"

struct slots {
    size_t max;
    size_t share_max;
    size_t reserved;
    struct table owners; // that hold a slot
    bool closed;
};

struct slot_owner {
    struct table_node node;
    uint8_t key[SLOT_OWNER_BYTES];
    size_t reserved;
};

struct slots *slots_open(size_t max, size_t share_max)
{
    struct slots *slots = calloc(1, sizeof(*slots));
    REQUIRE(slots != NULL);
    slots->max = max;
    slots->share_max = share_max;
    return slots;
}

static void free_unused(struct slots *slots)
{
    if (slots->closed && slots->reserved == 0) {
        table_release(&slots->owners);
        free(slots);
    }
}

void slots_close(struct slots *slots)
{
    slots->closed = true;
    free_unused(slots);
}

size_t slots_reserved(const struct slots *slots)
{
    return slots->reserved;
}

static struct slot_owner *find(const struct slots *slots, const uint8_t key[SLOT_OWNER_BYTES])
{
    struct table_node *node = table_find(&slots->owners, key, SLOT_OWNER_BYTES);
    return node != NULL ? CONTAINER_OF(node, struct slot_owner, node) : NULL;
}

size_t slots_reserved_of(const struct slots *slots, const uint8_t owner[SLOT_OWNER_BYTES])
{
    const struct slot_owner *found = find(slots, owner);
    return found != NULL ? found->reserved : 0;
}

bool slot_reserve(struct slots *slots, const uint8_t owner[SLOT_OWNER_BYTES], struct slot *slot)
{
    REQUIRE(slot->slots == NULL);
    if (slots->reserved == slots->max) {
        return false;
    }
    struct slot_owner *found = find(slots, owner);
    if (found == NULL) {
        found = calloc(1, sizeof(*found));
        REQUIRE(found != NULL);
        memcpy(found->key, owner, SLOT_OWNER_BYTES);
        table_insert(&slots->owners, &found->node, found->key, SLOT_OWNER_BYTES);
    }
    if (found->reserved == slots->share_max) {
        return false;
    }
    found->reserved++;
    slots->reserved++;
    *slot = (struct slot){.slots = slots, .owner = found};
    return true;
}

void slot_release(struct slot *slot)
{
    if (slot->slots == NULL) {
        return;
    }
    struct slots *slots = slot->slots;
    slots->reserved--;
    if (--slot->owner->reserved == 0) {
        table_remove(&slots->owners, &slot->owner->node);
        free(slot->owner);
    }
    *slot = (struct slot){0};
    free_unused(slots);
}
