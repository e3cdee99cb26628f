// The locks of a file on the simulated disk, with the semantics of SQLite's own file systems, and the shared
// memory for the index of the write-ahead log. A crash clears all of it. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#define DISK_REGIONS_MAX 64

// The locks of one handle on the file.
struct disk_lock_holder {
    int lock; // SQLITE_LOCK_...
    uint16_t slots_shared;
};

struct disk_locks {
    int shared; // handles that hold a lock of any kind
    struct disk_lock_holder *reserved;
    struct disk_lock_holder *exclusive;
    void *regions[DISK_REGIONS_MAX];
    int slot_shared[SQLITE_SHM_NLOCK];
    struct disk_lock_holder *slot_exclusive[SQLITE_SHM_NLOCK];
};

// As xLock and xUnlock.
int locks_take(struct disk_locks *locks, struct disk_lock_holder *holder, int lock);
void locks_release(struct disk_locks *locks, struct disk_lock_holder *holder, int lock);
// As xShmLock and xShmMap.
int locks_slots(struct disk_locks *locks, struct disk_lock_holder *holder, int offset, int count, int flags);
void *locks_region(struct disk_locks *locks, int region, int bytes, bool extend);
