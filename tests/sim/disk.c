// See disk.h. disk_content.c holds a file's bytes, disk_locks.c its locks.
#include "disk.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "disk_content.h"
#include "disk_locks.h"
#include "world.h"

#define FILES_MAX 8

struct file {
    char name[512];
    bool exists;
    struct disk_content content;
    struct disk_locks locks;
};

struct handle {
    sqlite3_file base;
    struct file *file;
    int generation;
    struct disk_lock_holder holder;
};

static struct file files[FILES_MAX];
static int generation; // of the running process
static int64_t calls_left;
static void (*die_now)(void);
static int64_t failing_until_us;

void disk_die_after(int64_t calls, void (*die)(void))
{
    calls_left = calls;
    die_now = die;
}

void disk_fail_until(int64_t until_us)
{
    failing_until_us = until_us;
}

static bool fails(void)
{
    bool failed = !world.faults_off && (world.now_us < failing_until_us || random_below(20000) == 0);
    world.counts.disk_failures += failed;
    return failed;
}

// Whether the process ends in this call.
static bool is_last(void)
{
    return !world.faults_off && calls_left > 0 && --calls_left == 0;
}

void disk_crash(bool power_lost)
{
    generation++;
    calls_left = 0;
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct file *file = &files[i];
        if (power_lost && file->exists) {
            content_lose_power(&file->content);
        }
        file->locks = (struct disk_locks){0}; // its memory stays: the old process may still point to it
    }
}

// --- the calls of one file

static struct handle *handle_of(sqlite3_file *base)
{
    struct handle *handle = (struct handle *)base;
    REQUIRE(handle->generation == generation);
    return handle;
}

static int disk_read(sqlite3_file *base, void *out, int bytes, sqlite3_int64 offset)
{
    const struct extent *extent = &handle_of(base)->file->content.present;
    if (fails()) {
        return SQLITE_IOERR_READ;
    }
    int64_t there = extent->bytes > offset ? extent->bytes - offset : 0;
    int64_t taken = there < bytes ? there : bytes;
    if (taken > 0) {
        memcpy(out, extent->data + offset, (size_t)taken);
    }
    memset((char *)out + taken, 0, (size_t)(bytes - taken));
    return taken == bytes ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int disk_write(sqlite3_file *base, const void *data, int bytes, sqlite3_int64 offset)
{
    struct file *file = handle_of(base)->file;
    if (fails()) {
        if (random_below(2) == 0) {
            content_change(&file->content, data, offset, bytes / 2);
        }
        return random_below(2) == 0 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    if (is_last()) {
        if (random_below(2) == 0) {
            content_change(&file->content, data, offset, random_between(1, bytes));
        }
        die_now();
    }
    content_change(&file->content, data, offset, bytes);
    return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 bytes)
{
    if (fails()) {
        return SQLITE_IOERR_TRUNCATE;
    }
    content_change(&handle_of(base)->file->content, NULL, bytes, 0);
    return SQLITE_OK;
}

// As on Linux, a failed sync may drop unwritten data, and later syncs succeed although that data never
// reaches the disk.
static int disk_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    struct file *file = handle_of(base)->file;
    if (fails()) {
        if (random_below(2) == 0) {
            content_forget_changes(&file->content);
        }
        return SQLITE_IOERR_FSYNC;
    }
    bool last = is_last();
    if (last && random_below(2) == 0) {
        die_now();
    }
    if (!mutated("answer-before-sync")) {
        content_sync(&file->content);
    }
    if (last) {
        die_now();
    }
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *bytes)
{
    *bytes = handle_of(base)->file->content.present.bytes;
    return SQLITE_OK;
}

static int disk_lock(sqlite3_file *base, int lock)
{
    struct handle *handle = handle_of(base);
    return locks_take(&handle->file->locks, &handle->holder, lock);
}

static int disk_unlock(sqlite3_file *base, int lock)
{
    struct handle *handle = (struct handle *)base;
    if (handle->generation == generation) {
        locks_release(&handle->file->locks, &handle->holder, lock);
    }
    return SQLITE_OK;
}

static int disk_check_reserved(sqlite3_file *base, int *reserved)
{
    *reserved = handle_of(base)->file->locks.reserved != NULL;
    return SQLITE_OK;
}

static int disk_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int disk_sector_size(sqlite3_file *base)
{
    (void)base;
    return 4096;
}

static int disk_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; // as SQLite assumes for a Linux file system
}

static int disk_shm_map(sqlite3_file *base, int region, int bytes, int extend, void volatile **out)
{
    *out = locks_region(&handle_of(base)->file->locks, region, bytes, extend);
    return SQLITE_OK;
}

static int disk_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    struct handle *handle = handle_of(base);
    return locks_slots(&handle->file->locks, &handle->holder, offset, count, flags);
}

static void disk_shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int disk_shm_unmap(sqlite3_file *base, int delete)
{
    (void)base;
    (void)delete; // the file keeps the memory
    return SQLITE_OK;
}

static int disk_close(sqlite3_file *base)
{
    return disk_unlock(base, SQLITE_LOCK_NONE);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_check_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector_size,
    .xDeviceCharacteristics = disk_characteristics,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_shm_barrier,
    .xShmUnmap = disk_shm_unmap,
};

// --- the file system

static struct file *find(const char *name)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (files[i].exists && text_equal(files[i].name, name)) {
            return &files[i];
        }
    }
    return NULL;
}

static struct file *make(const char *name)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (!files[i].exists) {
            files[i].exists = true;
            REQUIRE(strlen(name) < sizeof(files[i].name));
            memcpy(files[i].name, name, strlen(name) + 1);
            return &files[i];
        }
    }
    require_failed("a free entry in the file table", __FILE__, __LINE__);
}

static int disk_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *out_flags)
{
    (void)vfs;
    struct handle *handle = (struct handle *)base;
    *handle = (struct handle){.generation = generation};
    REQUIRE(name != NULL); // SQLite keeps temporary files in memory
    handle->file = find(name);
    if (handle->file == NULL) {
        if (!(flags & SQLITE_OPEN_CREATE)) {
            return SQLITE_CANTOPEN;
        }
        handle->file = make(name);
    }
    handle->base.pMethods = &methods;
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    (void)vfs;
    (void)sync_directory;
    struct file *file = find(name);
    if (file == NULL) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    content_forget_changes(&file->content);
    file->content.present.bytes = file->content.durable.bytes = 0;
    file->exists = false;
    return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    (void)vfs;
    (void)flags;
    *result = find(name) != NULL;
    return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *vfs, const char *name, int bytes, char *out)
{
    (void)vfs;
    return sqlite3_snprintf(bytes, out, "%s", name) != NULL ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int disk_randomness(sqlite3_vfs *vfs, int bytes, char *out)
{
    (void)vfs;
    world.random.fill(&world.random, out, (unsigned)bytes);
    return bytes;
}

static int disk_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int disk_time(sqlite3_vfs *vfs, sqlite3_int64 *milliseconds)
{
    (void)vfs;
    *milliseconds = INT64_C(210866760000000) +
                    (WORLD_START_US + world.now_us) / 1000; // milliseconds since the epoch of Julian days
    return SQLITE_OK;
}

static int disk_last_error(sqlite3_vfs *vfs, int bytes, char *out)
{
    (void)vfs;
    (void)bytes;
    (void)out;
    return 0;
}

static sqlite3_vfs vfs = {
    .iVersion = 2,
    .szOsFile = sizeof(struct handle),
    .mxPathname = 511,
    .zName = "simulated",
    .xOpen = disk_open,
    .xDelete = disk_delete,
    .xAccess = disk_access,
    .xFullPathname = disk_full_path,
    .xRandomness = disk_randomness,
    .xSleep = disk_sleep,
    .xGetLastError = disk_last_error,
    .xCurrentTimeInt64 = disk_time,
};

void disk_install(void)
{
    // Single-threaded, so that a call that a crash interrupts leaves no mutex locked.
    REQUIRE(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK);
    REQUIRE(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
    REQUIRE(sqlite3_initialize() == SQLITE_OK);
    REQUIRE(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
