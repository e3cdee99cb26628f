// A disk of the simulation's own, as SQLite's only file system: real SQLite runs on it. What was written and
// not synced may be lost, kept or torn by a loss of power, and any call may fail. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Makes it SQLite's file system, once a process and before anything else of SQLite's.
void disk_install(void);

// The calling process is gone: no lock holds any more, and handles that are still open do nothing. Without
// power, too, of what was not synced each write is kept, lost or torn by chance.
void disk_crash(bool power_lost);

// From now on the n-th writing call ends the process that makes it, by `die`, before or within its work.
// 0: never.
void disk_die_after(int64_t calls, void (*die)(void));

// For how long calls fail: until the time `until_us` of the world's.
void disk_fail_until(int64_t until_us);
