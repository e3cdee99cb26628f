// The PostgreSQL driver and its transactions. After a failed statement the server refuses all others until
// the transaction, or a savepoint, is rolled back. The invariant: begin opens exactly one transaction, and
// none is open after commit or rollback, which are commit.c's. The thread that owns the connection.
#include "store/postgres/postgres.h"

#include "base/require.h"

enum errc postgres_begin(struct db *db, bool write, struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(!postgres->in_transaction && (postgres->writable || !write));
    enum errc rc = postgres_connected(postgres, err);
    postgres->failure.code = OK;
    postgres_ahead_end(postgres);
    if (rc == OK) {
        rc = postgres_control(postgres, POSTGRES_RUN,
                              write ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
    }
    postgres->in_transaction = rc == OK;
    postgres->changed_before = postgres->changed_total;
    db->aborted = false;
    db->generation_known = false;
    return rc;
}

enum errc postgres_undo(struct postgres *postgres, const char *sql, struct err *err)
{
    enum errc rc = OK;
    if (postgres->failure.code != OK || postgres->pending_count > 0) {
        rc = postgres_pipeline_sync(postgres, NULL); // fails if a command did: it is being undone
    }
    rc = postgres_control(postgres, POSTGRES_RUN, sql, err);
    return rc == OK ? postgres_pipeline_sync(postgres, err) : rc;
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
    return postgres_control(postgres_of(db), POSTGRES_RUN, "SAVEPOINT job", err);
}

static enum errc postgres_release(struct db *db, struct err *err)
{
    return postgres_control(postgres_of(db), POSTGRES_RUN, "RELEASE job", err);
}

static enum errc postgres_rollback_to(struct db *db, struct err *err)
{
    const enum errc rc = postgres_undo(postgres_of(db), "ROLLBACK TO job", err);
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
    if (PQexitPipelineMode(postgres->conn) != 1) {
        return postgres_failed(postgres, NULL, err);
    }
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    PGresult *result = PQexec(postgres->conn, postgres_script_of(&arena, sql));
    const ExecStatusType status = PQresultStatus(result);
    const bool done = status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
    rc = done ? OK : postgres_failed(postgres, result, err);
    PQclear(result);
    return PQenterPipelineMode(postgres->conn) == 1 || rc != OK ? rc : postgres_failed(postgres, NULL, err);
}

// Two batches may hold what the other waits for. The server would find that after a second
// (deadlock_timeout); a longer wait is one that an alone job has.
static enum errc postgres_wait_briefly(struct db *db, struct err *err)
{
    return postgres_control(postgres_of(db), POSTGRES_RUN, "SET LOCAL lock_timeout = '100ms'", err);
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
    .is_shared = true,
    .name = postgres_name,
    .tries = 10,
    .writers = 2,
    .open = postgres_open,
    .look = postgres_look,
    .close = postgres_close,
    .serve = postgres_serve,
    // information_schema leaves out the tables that the user may not read.
    .table_exists = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
                    " AND tablename = $1",
    .schema_changes = postgres_schema_changes,
    .forget_asked = postgres_forget_asked,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .savepoint = postgres_savepoint,
    .wait_briefly = postgres_wait_briefly,
    .settle = postgres_settle,
    .release = postgres_release,
    .rollback_to = postgres_rollback_to,
    .script = postgres_script,
    .run = postgres_run,
    .run_one = postgres_run_one,
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
