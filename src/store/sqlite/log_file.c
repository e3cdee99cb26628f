// A file system for SQLite, over its own, that gathers what is appended to the write-ahead log. SQLite writes
// each page of a commit in two calls, a header of 24 bytes and the page; here most commits become one call.
//
// The invariant: gathered bytes are seen by nobody but the connection that wrote them, and that is enough.
// Under synchronous=FULL SQLite syncs the log before it tells other connections, through the shared index,
// that the log has grown, and xSync writes what is gathered. A write that fails there fails the COMMIT. What
// a transaction gathered and did not commit is dropped by sqlite_log_forget, before another connection may
// write to the same place. All other files are SQLite's own. Any thread, each connection in one at a time.
#include "store/sqlite/sqlite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

// Bytes: 31 pages and their headers. SQLite's file system fails (SQLITE_FULL) writes of 131072 bytes.
#define GATHERED_MAX (31 * (24 + 4096))

struct log_file {
    sqlite3_file base;
    char *gathered;       // GATHERED_MAX bytes, made by the first append
    int count;            // bytes in it that are not written
    sqlite3_int64 start;  // their place in the file
    sqlite3_file below[]; // SQLite's own, of the size that its file system asks for
};

static sqlite3_vfs gathering;
static sqlite3_vfs *own; // SQLite's file system

static struct log_file *log_of(sqlite3_file *file)
{
    return (struct log_file *)file;
}

// Whether it succeeds or not, nothing is gathered afterwards: SQLite rolls back after a failure.
static int write_gathered(struct log_file *log)
{
    const int count = log->count;
    log->count = 0;
    return count == 0 ? SQLITE_OK
                      : log->below->pMethods->xWrite(log->below, log->gathered, count, log->start);
}

static int log_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at)
{
    struct log_file *log = log_of(file);
    const bool follows = log->count == 0 || at == log->start + log->count;
    if (!follows || bytes > GATHERED_MAX - log->count) {
        const int code = write_gathered(log);
        if (code != SQLITE_OK) {
            return code;
        }
    }
    if (bytes > GATHERED_MAX) {
        return log->below->pMethods->xWrite(log->below, data, bytes, at);
    }
    if (log->gathered == NULL) {
        log->gathered = malloc(GATHERED_MAX);
        REQUIRE(log->gathered != NULL);
    }
    if (log->count == 0) {
        log->start = at;
    }
    memcpy(log->gathered + log->count, data, (size_t)bytes);
    log->count += bytes;
    return SQLITE_OK;
}

// If a read fails because the disk is full, SQLite may undo only the statement and let the transaction go on,
// without the pages that were gathered before. After any other failure it rolls the transaction back.
static int log_read(sqlite3_file *file, void *data, int bytes, sqlite3_int64 at)
{
    struct log_file *log = log_of(file);
    const bool overlaps = log->count > 0 && at < log->start + log->count && at + bytes > log->start;
    if (overlaps && write_gathered(log) != SQLITE_OK) {
        return SQLITE_IOERR_WRITE;
    }
    return log->below->pMethods->xRead(log->below, data, bytes, at);
}

// A sync that fails is a write that failed: what it should have kept is written again to the same place.
// SQLITE_IOERR_FSYNC is left to the database's own file, for which that is not so (driver.c).
static int log_sync(sqlite3_file *file, int flags)
{
    struct log_file *log = log_of(file);
    int code = write_gathered(log);
    if (code == SQLITE_OK) {
        code = log->below->pMethods->xSync(log->below, flags);
    }
    return code == SQLITE_IOERR_FSYNC ? SQLITE_IOERR_WRITE : code;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    struct log_file *log = log_of(file);
    const int code = write_gathered(log);
    return code == SQLITE_OK ? log->below->pMethods->xTruncate(log->below, bytes) : code;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *bytes)
{
    struct log_file *log = log_of(file);
    const int code = write_gathered(log);
    return code == SQLITE_OK ? log->below->pMethods->xFileSize(log->below, bytes) : code;
}

static int log_close(sqlite3_file *file)
{
    struct log_file *log = log_of(file);
    free(log->gathered);
    return log->below->pMethods->xClose(log->below);
}

static int log_control(sqlite3_file *file, int what, void *argument)
{
    struct log_file *log = log_of(file);
    return log->below->pMethods->xFileControl(log->below, what, argument);
}

static int log_sector_size(sqlite3_file *file)
{
    struct log_file *log = log_of(file);
    return log->below->pMethods->xSectorSize(log->below);
}

static int log_device(sqlite3_file *file)
{
    struct log_file *log = log_of(file);
    return log->below->pMethods->xDeviceCharacteristics(log->below);
}

// SQLite locks the database's file, never the log.
static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_device,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0) {
        return own->xOpen(own, name, file, flags, flags_out);
    }
    struct log_file *log = log_of(file);
    *log = (struct log_file){0};
    const int code = own->xOpen(own, name, log->below, flags, flags_out);
    if (code == SQLITE_OK) {
        log->base.pMethods = &log_methods;
    }
    return code;
}

static void install(void)
{
    own = sqlite3_vfs_find(NULL);
    REQUIRE(own != NULL);
    gathering = *own; // all but xOpen
    gathering.zName = "gathering";
    gathering.szOsFile += (int)sizeof(struct log_file);
    gathering.xOpen = open_file;
    REQUIRE(sqlite3_vfs_register(&gathering, 0) == SQLITE_OK);
}

const char *sqlite_log_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    return gathering.zName;
}

void sqlite_log_forget(struct sqlite *sqlite)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(sqlite->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) == SQLITE_OK &&
        file != NULL && file->pMethods == &log_methods) {
        log_of(file)->count = 0;
    }
}
