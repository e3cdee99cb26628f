// Backup by VACUUM INTO: one read transaction, and the copy comes out compact and without what was deleted.
// The calling thread; blocking.
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "store/sqlite.h"

#define BUSY_TIMEOUT_MS 5000

static void close_handle(sqlite3 **handle)
{
    (void)sqlite3_close(*handle); // also after an open that failed
}

static void finalize(sqlite3_stmt **statement)
{
    (void)sqlite3_finalize(*statement);
}

// VACUUM INTO takes an empty file, so the exclusive creation that refuses an old one also keeps a new one
// private.
static enum errc create_empty(const char *path, struct err *err)
{
    const int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return err_set(err, ERR_CONFIG, "cannot create the file %s: %s", path, strerror(errno));
    }
    (void)close(descriptor);
    return OK;
}

static enum errc copy(const char *source, const char *path, struct err *err)
{
    __attribute__((cleanup(close_handle))) sqlite3 *handle = NULL;
    __attribute__((cleanup(finalize))) sqlite3_stmt *statement = NULL;
    const bool copied = sqlite3_open_v2(source, &handle, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
                        sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS) == SQLITE_OK &&
                        sqlite3_prepare_v2(handle, "VACUUM INTO $1", -1, &statement, NULL) == SQLITE_OK &&
                        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC) == SQLITE_OK &&
                        sqlite3_step(statement) == SQLITE_DONE;
    return copied
               ? OK
               : err_set(err, ERR_STORE, "cannot copy the database %s: %s", source, sqlite3_errmsg(handle));
}

enum errc backup(const char *database, const char *path, struct err *err)
{
    if (!text_starts_with(database, sqlite_driver.prefix)) {
        return err_set(err, ERR_CONFIG, "backup copies only SQLite databases: use the database's own tools");
    }
    const char *source = database + strlen(sqlite_driver.prefix);
    enum errc e = sqlite_check_private(source, err);
    if (e == OK) {
        e = create_empty(path, err);
    }
    if (e != OK) {
        return e;
    }
    e = copy(source, path, err);
    if (e == OK) {
        e = file_sync(path, err); // VACUUM INTO leaves that to the system
    }
    if (e == OK) {
        e = file_sync_directory_of(path, err);
    }
    if (e != OK) {
        (void)unlink(path);
    }
    return e;
}
