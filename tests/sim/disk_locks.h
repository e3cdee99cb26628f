// Who may use a file of the simulated disk: its locks, as SQLite's own file systems keep them, and the memory
// that the write-ahead log's index is shared in. A crash takes all of it. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#define DISK_REGIONS_MAX 64

// What one handle on the file holds.
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
