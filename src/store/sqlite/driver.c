// The SQLite driver and its transactions. SQLite ends a transaction by itself after some failures (disk full,
// I/O errors). The invariant: begin opens exactly one transaction, and none is open after commit or rollback.
// The thread that owns the connection.
#include "store/sqlite/sqlite.h"

#include "base/require.h"

#define PAGE_BYTES 4096
// While a pass copies, the log grows. Each pass copies what was added during the one before, until that is
// little. Payments add a tenth of it; where more than half is added, further passes would only let the log
// grow.
#define PASSES_MAX 4
#define FEW_PAGES 100

static enum errc sqlite_begin(struct db *db, bool write, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(!sqlite->in_transaction && (sqlite->writable || !write));
    // A plain BEGIN starts as a read. If another process wrote meanwhile, its first write would fail at once
    // instead of waiting.
    const enum errc rc = sqlite_control(sqlite, write ? "BEGIN IMMEDIATE" : "BEGIN", err);
    sqlite->in_transaction = rc == OK;
    db->generation_known = false;
    return rc;
}

static void sqlite_rollback(struct db *db)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(sqlite->in_transaction && sqlite->rows_open == 0);
    if (!sqlite3_get_autocommit(sqlite->handle)) {
        REQUIRE(sqlite_control(sqlite, "ROLLBACK", NULL) == OK || sqlite3_get_autocommit(sqlite->handle));
    }
    sqlite_log_forget(sqlite);
    sqlite->in_transaction = false;
}

static enum errc sqlite_commit(struct db *db, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(sqlite->in_transaction && sqlite->rows_open == 0);
    const enum errc rc = sqlite_control(sqlite, "COMMIT", err);
    if (rc != OK) {
        sqlite_rollback(db);
    }
    sqlite->in_transaction = false;
    return rc;
}

static enum errc sqlite_savepoint(struct db *db, struct err *err)
{
    return sqlite_control(sqlite_of(db), "SAVEPOINT job", err);
}

static enum errc sqlite_release(struct db *db, struct err *err)
{
    return sqlite_control(sqlite_of(db), "RELEASE job", err);
}

static enum errc sqlite_rollback_to(struct db *db, struct err *err)
{
    const enum errc rc = sqlite_control(sqlite_of(db), "ROLLBACK TO job", err);
    db->generation_known = false;
    return rc == OK ? sqlite_release(db, err) : rc;
}

static enum errc sqlite_script(struct db *db, const char *sql, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(sqlite->in_transaction);
    if (sqlite3_exec(sqlite->handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return sqlite_failed(sqlite, err);
    }
    REQUIRE(!sqlite3_get_autocommit(sqlite->handle)); // a script must not end its transaction
    return OK;
}

static int64_t sqlite_changed(struct db *db)
{
    return sqlite_of(db)->changed;
}

static int64_t sqlite_changed_total(struct db *db)
{
    return sqlite3_total_changes64(sqlite_of(db)->handle);
}

static int64_t sqlite_log_bytes(struct db *db)
{
    return (int64_t)sqlite_of(db)->wal_pages * PAGE_BYTES;
}

// A failed sync of the database may drop pages of any earlier copy, of which SQLite believes that they are in
// the database: it would use their place in the log again, and after a power failure they would be nowhere.
// After any other failure the next call copies what this one could not.
static bool is_sound(int code)
{
    return code != SQLITE_IOERR_FSYNC;
}

static bool sqlite_copy_log(struct db *db)
{
    return is_sound(
        sqlite3_wal_checkpoint_v2(sqlite_of(db)->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
}

// Most of the pages that wait for the sync were copied here.
static int sync_database(struct sqlite *sqlite)
{
    sqlite3_file *file = NULL;
    const int code = sqlite3_file_control(sqlite->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return code == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : code;
}

static bool sqlite_copy_log_ahead(struct db *db)
{
    int copied = 0;
    int last = INT_MAX;
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        const int before = copied;
        const int code =
            sqlite3_wal_checkpoint_v2(sqlite_of(db)->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &copied);
        const int added = copied - before;
        if (code != SQLITE_OK || added < FEW_PAGES || added > last / 2) {
            return is_sound(code);
        }
        last = added;
        // Before the next pass, which copies what is written meanwhile.
        if (sync_database(sqlite_of(db)) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

const struct db_driver sqlite_driver = {
    .prefix = "sqlite:",
    .name = sqlite_name,
    .file_holds = sqlite_file_holds,
    .tries = 1,
    .writers = 1,
    .open = sqlite_open_db,
    .look = sqlite_look,
    .close = sqlite_close_db,
    .claim = sqlite_claim,
    .check_unclaimed = sqlite_check_unclaimed,
    .in_place = sqlite_in_place,
    .backup = sqlite_backup,
    .merges_lists = true,
    .table_exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1",
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .savepoint = sqlite_savepoint,
    .release = sqlite_release,
    .rollback_to = sqlite_rollback_to,
    .script = sqlite_script,
    .query = sqlite_query,
    .query_built = sqlite_query_built,
    .query_once = sqlite_query_once,
    .next = sqlite_next,
    .changed = sqlite_changed,
    .changed_total = sqlite_changed_total,
    .column_count = sqlite_column_count,
    .column = sqlite_column,
    .column_name = sqlite_column_name,
    .limit = sqlite_limit,
    .close_rows = sqlite_close_rows,
    .log_bytes = sqlite_log_bytes,
    .copy_log = sqlite_copy_log,
    .copy_log_ahead = sqlite_copy_log_ahead,
};
