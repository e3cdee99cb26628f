// COMMIT, and what became of one whose answer was lost: docs/decisions/lost-commits.md. The invariant:
// postgres_commit returns OK only for a transaction that is committed, and any code but ERR_STORE_UNKNOWN
// only for one that never will be. The thread that owns the connection.
#include "store/postgres/postgres.h"

#include <time.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "store/db.h"
#include "store/nodes.h"
#include "store/prune.h"

// For so long the outcome is looked for. Jobs wait meanwhile.
#define LOOK_US_MAX (10 * US_PER_S)
#define LOOK_AGAIN_MS 250

// Reads the row, or writes one that rules the transaction out. It waits for a transaction that is still in
// progress. It writes in any case: a standby that has this write has all before it, too.
static const char look_sql[] = "INSERT INTO commits (id, committed) VALUES ($1, 0)"
                               " ON CONFLICT (id) DO UPDATE SET committed = commits.committed"
                               " RETURNING committed, " NODES_DATABASE_US;

static int64_t wall_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

// No transaction is open afterwards.
static void end_transaction(struct postgres *postgres)
{
    postgres->in_transaction = false;
    if (!postgres->lost && postgres_undo(postgres, "ROLLBACK", NULL) != OK) {
        postgres->lost = true;
    }
    if (postgres->lost) {
        postgres_disconnect(postgres); // the server rolls back by itself
    }
}

// *known: the server refused it, so that it will never be committed.
static enum errc send_commit(struct postgres *postgres, bool *known, struct err *err)
{
    postgres->warned = false;
    postgres->refused = postgres->refused && postgres->failure.code != OK;
    enum errc rc = postgres_control(postgres, POSTGRES_COMMIT, "COMMIT", err);
    if (rc == OK) {
        rc = postgres_pipeline_sync(postgres, err);
    }
    *known = rc == OK || postgres->refused;
    if (rc == OK && postgres->warned) { // it may be on this server alone
        postgres->lost = true;
        *known = false;
        rc = err_set(err, ERR_STORE_AWAY, "the database committed with a warning");
    }
    if (rc != OK) {
        end_transaction(postgres);
    }
    postgres->in_transaction = false;
    return rc;
}

// *age_us: of the transaction, by the database's clock.
static enum errc look(struct postgres *postgres, const struct uuid *id, bool *committed, int64_t *age_us)
{
    DB_ROWS(rows);
    bool known = false;
    enum errc rc = postgres_begin(&postgres->db, true, NULL);
    if (rc != OK) {
        return rc;
    }
    rc = db_one(&postgres->db, &rows, "", NULL, look_sql, DB_ID(id));
    *committed = rc == OK && db_i64(&rows, 0) == 1;
    *age_us = rc == OK ? db_i64(&rows, 1) - uuid_ms(id) * US_PER_MS : 0;
    db_rows_close(&rows);
    if (rc != OK) {
        end_transaction(postgres);
        return rc;
    }
    return send_commit(postgres, &known, NULL);
}

static void pause(void)
{
    const struct timespec time = {.tv_nsec = LOOK_AGAIN_MS * 1000 * 1000};
    (void)nanosleep(&time, NULL);
}

static enum errc unknown(struct err *err)
{
    return err_set(err, ERR_STORE_UNKNOWN,
                   "the database did not say whether this was recorded: send the same request again, "
                   "with the same Idempotency-Key");
}

static enum errc resolve(struct postgres *postgres, const struct uuid *id, struct err *err)
{
    const int64_t until_us = postgres_mono_us() + LOOK_US_MAX;
    bool committed = false;
    int64_t age_us = 0;
    while (look(postgres, id, &committed, &age_us) != OK) {
        if (postgres_mono_us() >= until_us) {
            return unknown(err);
        }
        pause();
    }
    if (!committed && age_us > COMMITS_KEPT_US / 2) { // this machine stood still: the row may be deleted
        return unknown(err);
    }
    return committed ? OK
                     : err_set(err, ERR_STORE_AWAY,
                               "the connection to the database was lost; nothing was recorded, try again");
}

enum errc postgres_commit(struct db *db, struct err *err)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(postgres->in_transaction && postgres->rows_open == 0);
    const bool wrote = postgres->changed_total != postgres->changed_before;
    const bool recorded = wrote && postgres->writer != NULL;
    const struct uuid id = uuid_new(&random_system, wall_us());
    enum errc rc = OK;
    bool known = false;
    if (recorded) {
        rc = db_run(db, NULL, err, "INSERT INTO commits (id, committed) VALUES ($1, 1)", DB_ID(&id));
    } else if (wrote) { // nobody will look: a connection that is lost already is found before COMMIT is sent
        rc = postgres_pipeline_sync(postgres, err);
    }
    if (rc != OK) { // the server got no COMMIT
        end_transaction(postgres);
        return rc;
    }
    rc = send_commit(postgres, &known, err);
    if (known || !wrote) {
        return rc;
    }
    return recorded ? resolve(postgres, &id, err)
                    : err_set(err, ERR_STORE_UNKNOWN,
                              "the database did not say whether the change was made: look before you try "
                              "again");
}

void postgres_rollback(struct db *db)
{
    struct postgres *postgres = postgres_of(db);
    REQUIRE(postgres->in_transaction && postgres->rows_open == 0);
    end_transaction(postgres);
}
