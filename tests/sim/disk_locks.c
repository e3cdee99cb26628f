// See disk_locks.h.
#include "disk_locks.h"

#include <stdlib.h>

#include "base/require.h"

int locks_take(struct disk_locks *locks, struct disk_lock_holder *holder, int lock)
{
    if (holder->lock >= lock) {
        return SQLITE_OK;
    }
    if (locks->exclusive != NULL && locks->exclusive != holder) {
        return SQLITE_BUSY;
    }
    if (holder->lock == SQLITE_LOCK_NONE) {
        locks->shared++;
        holder->lock = SQLITE_LOCK_SHARED;
    }
    if (lock == SQLITE_LOCK_SHARED) {
        return SQLITE_OK;
    }
    if (locks->reserved != NULL && locks->reserved != holder) {
        return SQLITE_BUSY;
    }
    locks->reserved = holder;
    if (lock == SQLITE_LOCK_EXCLUSIVE && locks->shared > 1) {
        return SQLITE_BUSY;
    }
    locks->exclusive = lock == SQLITE_LOCK_EXCLUSIVE ? holder : locks->exclusive;
    holder->lock = lock;
    return SQLITE_OK;
}

void locks_release(struct disk_locks *locks, struct disk_lock_holder *holder, int lock)
{
    if (holder->lock <= lock) {
        return;
    }
    locks->reserved = locks->reserved == holder ? NULL : locks->reserved;
    locks->exclusive = locks->exclusive == holder ? NULL : locks->exclusive;
    locks->shared -= lock == SQLITE_LOCK_NONE;
    holder->lock = lock;
}

static bool slot_is_free(const struct disk_locks *locks, const struct disk_lock_holder *holder, int slot,
                         bool exclusive)
{
    bool held_exclusively = locks->slot_exclusive[slot] != NULL && locks->slot_exclusive[slot] != holder;
    int own = (holder->slots_shared >> slot) & 1;
    return !held_exclusively && (!exclusive || locks->slot_shared[slot] == own);
}

int locks_slots(struct disk_locks *locks, struct disk_lock_holder *holder, int offset, int count, int flags)
{
    bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
    bool takes = flags & SQLITE_SHM_LOCK;
    for (int slot = offset; takes && slot < offset + count; slot++) {
        if (!slot_is_free(locks, holder, slot, exclusive)) {
            return SQLITE_BUSY;
        }
    }
    for (int slot = offset; slot < offset + count; slot++) {
        uint16_t bit = (uint16_t)(1U << slot);
        if (exclusive) {
            locks->slot_exclusive[slot] = takes ? holder : NULL;
        } else if (takes != ((holder->slots_shared & bit) != 0)) {
            locks->slot_shared[slot] += takes ? 1 : -1;
            holder->slots_shared ^= bit;
        }
    }
    return SQLITE_OK;
}

void *locks_region(struct disk_locks *locks, int region, int bytes, bool extend)
{
    REQUIRE(region < DISK_REGIONS_MAX);
    if (locks->regions[region] == NULL && extend) {
        locks->regions[region] = calloc(1, (size_t)bytes);
        REQUIRE(locks->regions[region] != NULL);
    }
    return locks->regions[region];
}
