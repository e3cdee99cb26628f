// Opens SQLite connections and sets them up. If a database is unusable, says so in one plain line with its
// path. SQLite itself opens lazily and falls back to read-only, so this file checks. Any thread.
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/require.h"

#define LOOK_NAME_BYTES (3 * PATH_MAX + 32) // every byte of the path escaped
#define BUSY_TIMEOUT_MS 5000                // a command writes to the same file beside the server

// page_size and WAL are kept in the file, the others are set for each connection. synchronous=FULL: a commit
// is on disk when it returns. The write-ahead log shrinks to journal_size_limit after a long reader made it
// grow.
static const char settings[] = "PRAGMA page_size = 4096;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA journal_size_limit = 67108864;";
static const char writer_settings[] = "PRAGMA cache_size = -16000;"; // kB
static const char reader_settings[] = "PRAGMA cache_size = -2000; PRAGMA query_only = ON;";

// Puts ./ before a relative path, so that SQLite takes its special names (":memory:", "file:…") for files.
enum errc sqlite_path(const char *database, char path[PATH_MAX], struct err *err)
{
    const char *name = database + strlen(sqlite_driver.prefix);
    const int bytes = snprintf(path, PATH_MAX, "%s%s", *name == '/' ? "" : "./", name);
    if (*name == '\0' || bytes >= PATH_MAX) {
        return err_set(err, ERR_CONFIG, "the database must be sqlite:PATH");
    }
    return OK;
}

static enum errc unusable(struct err *err, const char *path, const char *reason)
{
    return err_set(err, ERR_CONFIG, "cannot use the database %s: %s", path, reason);
}

enum errc sqlite_unusable(int code, const char *path, const char *reason, struct err *err)
{
    struct stat file;
    if (stat(path, &file) == 0 && S_ISDIR(file.st_mode)) {
        return unusable(err, path, "it is a directory");
    }
    if (code == SQLITE_NOTADB) {
        return unusable(err, path, "it is not a SQLite database");
    }
    if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0 && errno != ENOENT) {
        return unusable(err, path, strerrordesc_np(errno));
    }
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
    // The write-ahead log is made beside the file, so the directory must be writable too.
    if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0) {
        return err_set(err, ERR_CONFIG, "cannot use the database %s: directory %s: %s", path, directory,
                       strerrordesc_np(errno));
    }
    return unusable(err, path, reason);
}

static enum errc explain(const struct sqlite *sqlite, int code, const char *path, struct err *err)
{
    if (code != SQLITE_NOTADB && code != SQLITE_CANTOPEN && code != SQLITE_PERM && code != SQLITE_READONLY) {
        return sqlite_failed(sqlite, err);
    }
    return sqlite_unusable(code, path, sqlite3_errmsg(sqlite->handle), err);
}

// As for the key files: if others may read the file, perhaps they did, and its owner should know. It may not
// have a second name either, because that name would have its own write-ahead log. A file that is missing, or
// that we may not open, passes.
enum errc sqlite_check_private(const char *path, struct err *err)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char file[PATH_MAX];
        struct stat status;
        if (snprintf(file, sizeof(file), "%s%s", path, ends[i]) >= (int)sizeof(file)) {
            return err_set(err, ERR_CONFIG, "the database's name is too long: %.80s...", path);
        }
        if (stat(file, &status) != 0 || !S_ISREG(status.st_mode) ||
            faccessat(AT_FDCWD, file, R_OK | W_OK, AT_EACCESS) != 0) {
            continue;
        }
        if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
            return err_set(err, ERR_CONFIG,
                           "the database file %s is accessible to other users: run chmod 600 on it", file);
        }
        if (status.st_nlink > 1) {
            return err_set(err, ERR_CONFIG,
                           "the database file %s has a second name (a hard link): remove that name", file);
        }
    }
    return OK;
}

// SQLite would count every allocation under one mutex of the whole process. It refuses if it is in use
// already.
static void stop_counting(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_handle(const char *name, int flags, sqlite3 **handle)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    REQUIRE(pthread_once(&once, stop_counting) == 0);
    const char *vfs = (flags & SQLITE_OPEN_READWRITE) != 0 ? sqlite_log_vfs() : NULL;
    return sqlite3_open_v2(name, handle, flags | SQLITE_OPEN_NOMUTEX, vfs);
}

// New files are 0600; SQLite gives the log and the shared index the database's own mode.
static int open_private(const char *path, bool writable, sqlite3 **handle)
{
    const mode_t before = umask(0077);
    const int code = open_handle(path, SQLITE_OPEN_READWRITE | (writable ? SQLITE_OPEN_CREATE : 0), handle);
    umask(before);
    return code;
}

// SQLite calls this after each commit. By default it would copy the log there, in the middle of the commit;
// the store's checkpointer does that later instead.
static int note_wal_pages(void *context, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    struct sqlite *sqlite = context;
    sqlite->wal_pages = pages;
    return SQLITE_OK;
}

// SQLite calls this for each row that this connection changes, by a trigger, too.
static void note_change(void *context, int change, const char *database, const char *table, sqlite3_int64 row)
{
    (void)change;
    (void)database;
    (void)row;
    struct db *db = context;
    if (strcmp(table, "generation") == 0) {
        db->generation_known = false;
    }
}

// Two programs that switch a new file to WAL at the same time would deadlock, so SQLite tells one of them at
// once that the file is busy, whatever its timeout. This retries, as every setting may be made twice.
static int exec_patiently(sqlite3 *handle, const char *sql)
{
    const int pause_ms = 10;
    int code = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    for (int waited_ms = 0; (code & 0xff) == SQLITE_BUSY && waited_ms < BUSY_TIMEOUT_MS;
         waited_ms += pause_ms) {
        sqlite3_sleep(pause_ms);
        code = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    }
    return code;
}

// SQLite's own waiting looks again after up to 0.1 s, and beside a server that writes batch after batch it
// mostly looks at the wrong moment: commands gave up after their 5 s. Looks every half millisecond find a gap
// in time.
static int wait_for_lock(void *context, int looks)
{
    (void)context;
    const struct timespec pause = {.tv_nsec = 500 * 1000};
    nanosleep(&pause, NULL);
    return looks < BUSY_TIMEOUT_MS * 2;
}

static void set_limits(sqlite3 *handle)
{
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    // Off: "name" in double quotes would silently be a string where there is no such column.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
}

static bool set_up(struct sqlite *sqlite)
{
    sqlite3 *handle = sqlite->handle;
    set_limits(handle);
    // The first statement that reads the file: it fails if the file is no database or we may not write it.
    if (exec_patiently(handle, settings) != SQLITE_OK) {
        return false;
    }
    sqlite3_busy_handler(handle, wait_for_lock, NULL);
    sqlite3_wal_hook(handle, note_wal_pages, sqlite);
    sqlite3_update_hook(handle, note_change, &sqlite->db);
    return sqlite_add_functions(handle) &&
           sqlite3_exec(handle, sqlite->writable ? writer_settings : reader_settings, NULL, NULL, NULL) ==
               SQLITE_OK;
}

// After a crash the log may hold a commit whose sync had failed: the system may have dropped it from the
// disk, and shows it nevertheless. What followed it in the log would be lost at a power failure. So the log
// that is found is copied into the database, and its place is used again. Another process that does so has
// found it.
static bool copy_found_log(sqlite3 *handle)
{
    const int code = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY;
}

static void drop(struct sqlite **sqlite)
{
    if (*sqlite) {
        sqlite_close_db(&(*sqlite)->db);
    }
}

enum errc sqlite_open_db(const char *database, bool writable, struct db **db, struct err *err)
{
    char path[PATH_MAX];
    enum errc rc = sqlite_path(database, path, err);
    if (rc == OK) {
        rc = sqlite_check_private(path, err);
    }
    if (rc != OK) {
        return rc;
    }
    __attribute__((cleanup(drop))) struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
    REQUIRE(sqlite);
    sqlite->db.driver = &sqlite_driver;
    sqlite->writable = writable;
    if (open_private(path, writable, &sqlite->handle) != SQLITE_OK) {
        return explain(sqlite, sqlite3_errcode(sqlite->handle), path, err);
    }
    if (sqlite3_db_readonly(sqlite->handle, "main") == 1) {
        return explain(sqlite, SQLITE_READONLY, path, err);
    }
    if (!set_up(sqlite) || (writable && !copy_found_log(sqlite->handle))) {
        return explain(sqlite, sqlite3_errcode(sqlite->handle) & 0xff, path, err);
    }
    *db = &sqlite->db;
    sqlite = NULL;
    return OK;
}

// SQLite's name for a file that it may only read. A file without a write-ahead log is opened as immutable, or
// the first reader would create an empty log beside it.
static enum errc name_for_look(const char *path, char name[LOOK_NAME_BYTES], struct err *err)
{
    char wal[PATH_MAX];
    struct stat log;
    const bool fits = snprintf(wal, sizeof(wal), "%s-wal", path) < (int)sizeof(wal);
    const bool has_log = fits && stat(wal, &log) == 0 && log.st_size > 0;
    size_t at = (size_t)snprintf(name, LOOK_NAME_BYTES, "file:");
    for (; *path != '\0' && at < LOOK_NAME_BYTES - 32; path++) {
        const bool special = strchr("%?#", *path) != NULL;
        at += (size_t)snprintf(name + at, LOOK_NAME_BYTES - at, special ? "%%%02x" : "%c", (unsigned)*path);
    }
    (void)snprintf(name + at, LOOK_NAME_BYTES - at, has_log ? "?mode=ro" : "?immutable=1");
    return fits ? OK : err_set(err, ERR_CONFIG, "the database's name is too long: %.80s...", path);
}

enum errc sqlite_look(const char *database, struct db **db, struct err *err)
{
    char path[PATH_MAX];
    char name[LOOK_NAME_BYTES];
    enum errc rc = sqlite_path(database, path, err);
    if (rc == OK) {
        rc = sqlite_check_private(path, err);
    }
    if (rc == OK) {
        rc = name_for_look(path, name, err);
    }
    if (rc != OK) {
        return rc;
    }
    __attribute__((cleanup(drop))) struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
    REQUIRE(sqlite);
    sqlite->db.driver = &sqlite_driver;
    if (open_handle(name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &sqlite->handle) != SQLITE_OK) {
        return explain(sqlite, sqlite3_errcode(sqlite->handle), path, err);
    }
    set_limits(sqlite->handle);
    if (sqlite3_exec(sqlite->handle, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK) {
        return explain(sqlite, sqlite3_errcode(sqlite->handle) & 0xff, path, err);
    }
    *db = &sqlite->db;
    sqlite = NULL;
    return OK;
}

void sqlite_close_db(struct db *db)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(!sqlite->in_transaction && sqlite->rows_open == 0);
    sqlite_drop_statements(sqlite);
    REQUIRE(sqlite3_close(sqlite->handle) == SQLITE_OK);
    free(sqlite);
}
