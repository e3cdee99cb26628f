// A simulated disk on which the real SQLite runs, as its only file system. A power loss may lose, keep or
// tear writes that were not synced, and any call may fail. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Registers it as SQLite's file system. Call it once in a process, before any other use of SQLite.
void disk_install(void);

// The calling process has ended: its locks are released, and handles that are still open do nothing. If power
// was lost as well, each write that was not synced is kept, lost or torn at random.
void disk_crash(bool power_lost);

// From now on the n-th call that writes or syncs ends its process by calling `die`, before, during or after
// its work. 0: never.
void disk_die_after(int64_t calls, void (*die)(void));

// All calls fail until the virtual time until_us.
void disk_fail_until(int64_t until_us);
