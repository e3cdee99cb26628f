// SQLite as a driver: transactions. SQLite ends a transaction by itself on some failures (disk full, I/O
// errors), so the invariant kept here is that begin opens exactly one, and that after commit or rollback
// there is none. The thread that owns the connection.
#include "store/sqlite.h"

#include "base/require.h"

// From this size on the write-ahead log is copied back into the database. 4 kB pages.
#define CHECKPOINT_PAGES 4000

static enum errc sqlite_begin(struct db *db, bool write, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(!sqlite->in_transaction && (sqlite->writable || !write));
    // A write that began as a read would fail at once, not wait, where another process wrote in between.
    const enum errc result = sqlite_steer(sqlite, write ? "BEGIN IMMEDIATE" : "BEGIN", err);
    sqlite->in_transaction = result == OK;
    return result;
}

static void sqlite_rollback(struct db *db)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(sqlite->in_transaction && sqlite->rows_open == 0);
    if (!sqlite3_get_autocommit(sqlite->handle)) {
        REQUIRE(sqlite_steer(sqlite, "ROLLBACK", NULL) == OK || sqlite3_get_autocommit(sqlite->handle));
    }
    sqlite->in_transaction = false;
}

static enum errc sqlite_commit(struct db *db, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(sqlite->in_transaction && sqlite->rows_open == 0);
    const enum errc result = sqlite_steer(sqlite, "COMMIT", err);
    if (result != OK) {
        sqlite_rollback(db);
    }
    sqlite->in_transaction = false;
    return result;
}

static enum errc sqlite_savepoint(struct db *db, struct err *err)
{
    return sqlite_steer(sqlite_of(db), "SAVEPOINT job", err);
}

static enum errc sqlite_release(struct db *db, struct err *err)
{
    return sqlite_steer(sqlite_of(db), "RELEASE job", err);
}

static enum errc sqlite_rollback_to(struct db *db, struct err *err)
{
    const enum errc result = sqlite_steer(sqlite_of(db), "ROLLBACK TO job", err);
    return result == OK ? sqlite_release(db, err) : result;
}

static enum errc sqlite_script(struct db *db, const char *sql, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(sqlite->in_transaction);
    if (sqlite3_exec(sqlite->handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return sqlite_failed(sqlite, err);
    }
    REQUIRE(!sqlite3_get_autocommit(sqlite->handle)); // a script does not end the transaction it runs in
    return OK;
}

static int64_t sqlite_changed(struct db *db)
{
    return sqlite_of(db)->changed;
}

static bool sqlite_log_is_long(struct db *db)
{
    return sqlite_of(db)->wal_pages >= CHECKPOINT_PAGES;
}

static void sqlite_copy_log(struct db *db)
{
    // What it could not copy is copied next time; its failure loses nothing.
    sqlite3_wal_checkpoint_v2(sqlite_of(db)->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

const struct db_driver sqlite_driver = {
    .prefix = "sqlite:",
    .open = sqlite_open_db,
    .look = sqlite_look,
    .close = sqlite_close_db,
    .claim = sqlite_claim,
    .check_unclaimed = sqlite_check_unclaimed,
    .in_place = sqlite_in_place,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .savepoint = sqlite_savepoint,
    .release = sqlite_release,
    .rollback_to = sqlite_rollback_to,
    .script = sqlite_script,
    .query = sqlite_query,
    .query_once = sqlite_query_once,
    .next = sqlite_next,
    .changed = sqlite_changed,
    .column = sqlite_column,
    .column_name = sqlite_column_name,
    .close_rows = sqlite_close_rows,
    .log_is_long = sqlite_log_is_long,
    .copy_log = sqlite_copy_log,
};
