// The PostgreSQL driver and its transactions. After a failed statement the server refuses all others until
// the transaction, or a savepoint, is rolled back. The invariant: begin opens exactly one transaction, and
// none is open after commit or rollback. The thread that owns the connection.
#include "store/postgres/postgres.h"

#include "base/require.h"

static enum errc postgres_begin(struct db *db, bool write, struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(!postgres->in_transaction && (postgres->writable || !write));
    enum errc rc = postgres_connected(postgres, err);
    postgres->failure.code = OK;
    if (rc == OK) {
        rc = postgres_control(postgres, write ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                              err);
    }
    postgres->in_transaction = rc == OK;
    db->aborted = false;
    db->generation_known = false;
    return rc;
}

// The command, after whatever the server skips.
static enum errc undo(struct postgres *postgres, const char *sql, struct err *err)
{
    enum errc rc = postgres_pipeline_sync(postgres, NULL); // fails if a command did: it is being undone
    rc = postgres_control(postgres, sql, err);
    return rc == OK ? postgres_pipeline_sync(postgres, err) : rc;
}

static void postgres_rollback(struct db *db)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(postgres->in_transaction && postgres->rows_open == 0);
    postgres->in_transaction = false;
    // If this fails, the connection is lost, and the server rolls back by itself.
    if (undo(postgres, "ROLLBACK", NULL) != OK) {
        REQUIRE(PQstatus(postgres->conn) != CONNECTION_OK);
    }
}

static enum errc postgres_commit(struct db *db, struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(postgres->in_transaction && postgres->rows_open == 0);
    enum errc rc = postgres_control(postgres, "COMMIT", err);
    if (rc == OK) {
        rc = postgres_pipeline_sync(postgres, err);
    }
    if (rc != OK) {
        postgres_rollback(db);
    }
    postgres->in_transaction = false;
    return rc;
}

static enum errc postgres_settle(struct db *db, struct err *err)
{
    PGresult *rows = NULL;
    const enum errc rc = postgres_pipeline_read(postgres_of(db), &rows, err);
    PQclear(rows);
    return rc;
}

static enum errc postgres_savepoint(struct db *db, struct err *err)
{
    return postgres_control(postgres_of(db), "SAVEPOINT job", err);
}

static enum errc postgres_release(struct db *db, struct err *err)
{
    return postgres_control(postgres_of(db), "RELEASE job", err);
}

static enum errc postgres_rollback_to(struct db *db, struct err *err)
{
    const enum errc rc = undo(postgres_of(db), "ROLLBACK TO job", err);
    db->aborted = false;
    db->generation_known = false;
    return rc == OK ? postgres_release(db, err) : rc;
}

static enum errc postgres_script(struct db *db, const char *sql, struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(postgres->in_transaction);
    // A pipeline takes no text of several statements.
    enum errc rc = postgres_pipeline_sync(postgres, err);
    if (rc != OK) {
        return rc;
    }
    REQUIRE(PQexitPipelineMode(postgres->conn) == 1);
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    PGresult *result = PQexec(postgres->conn, postgres_script_of(&arena, sql));
    const ExecStatusType status = PQresultStatus(result);
    const bool done = status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
    rc = done ? OK : postgres_failed(postgres, result, err);
    PQclear(result);
    REQUIRE(PQenterPipelineMode(postgres->conn) == 1);
    return rc;
}

static int64_t postgres_changed(struct db *db)
{
    return postgres_of(db)->changed;
}

static int64_t postgres_changed_total(struct db *db)
{
    return postgres_of(db)->changed_total;
}

const struct db_driver postgres_driver = {
    .prefix = "postgresql:",
    .name = postgres_name,
    .tries = 10,
    .open = postgres_open,
    .look = postgres_look,
    .close = postgres_close,
    // information_schema leaves out the tables that the user may not read.
    .table_exists = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
                    " AND tablename = $1",
    .schema_changes = postgres_schema_changes,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .savepoint = postgres_savepoint,
    .settle = postgres_settle,
    .release = postgres_release,
    .rollback_to = postgres_rollback_to,
    .script = postgres_script,
    .run = postgres_run,
    .lock = postgres_lock,
    .query = postgres_query,
    .query_built = postgres_query_built,
    .query_once = postgres_query_once,
    .next = postgres_next,
    .changed = postgres_changed,
    .changed_total = postgres_changed_total,
    .column_count = postgres_column_count,
    .column = postgres_column,
    .column_name = postgres_column_name,
    .close_rows = postgres_close_rows,
};
