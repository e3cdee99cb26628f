// Backs up with VACUUM INTO: one read transaction, and the copy is compact and holds nothing that was
// deleted. The calling thread; blocking.
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define BUSY_TIMEOUT_MS 5000

static void close_handle(sqlite3 **handle)
{
    (void)sqlite3_close(*handle); // needed after a failed open, too
}

static void finalize(sqlite3_stmt **statement)
{
    (void)sqlite3_finalize(*statement);
}

// VACUUM INTO accepts an empty file. Creating it here refuses an existing file and keeps the new one private.
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

enum errc sqlite_backup(const char *database, const char *path, struct err *err)
{
    const char *source = database + strlen(sqlite_driver.prefix);
    enum errc rc = sqlite_check_private(source, err);
    if (rc == OK) {
        rc = create_empty(path, err);
    }
    if (rc != OK) {
        return rc;
    }
    rc = copy(source, path, err);
    if (rc == OK) {
        rc = file_sync(path, err); // VACUUM INTO leaves that to the system
    }
    if (rc == OK) {
        rc = file_sync_directory_of(path, err);
    }
    if (rc != OK) {
        (void)unlink(path);
    }
    return rc;
}
