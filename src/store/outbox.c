// The outbox's queries. Database threads.
//
// The claim's cost is the heart of this file. Merchants are walked in the order of their ids, each found by
// one seek in outbox_open(merchant_id, next_attempt_us), an index over nothing but rows that have a time:
//     SEARCH outbox USING INDEX outbox_open (merchant_id>?)
// which yields the next merchant and its first time; only where that is due, its longest due event follows by
//     SEARCH outbox USING INDEX outbox_open (merchant_id=? AND next_attempt_us<?)
// So neither the 100,000 open events of one merchant, nor finished events, nor merchants without an endpoint
// are ever stepped over. Walking by time instead would meet all due events of a merchant that has its share
// of deliveries already. The index's condition stands in these statements word for word, or SQLite would not
// know that the index may serve them.
#include "store/outbox.h"

#include "base/require.h"

#define BEHIND "9223372036854775807"
#define WAITING "9223372036854775806"
_Static_assert(OUTBOX_BLOCKED == 9223372036854775807 && OUTBOX_PARKED == 9223372036854775806,
               "the SQL says the same");
#define HAS_TIME "next_attempt_us < " WAITING
// An id of another length is damage, and no walk could go on from it.
#define WHOLE_ID "length(merchant_id) = 16"
#define HAS_ENDPOINT "webhook_url IS NOT NULL AND webhook_secret IS NOT NULL AND webhook_stopped = 0"

static struct db_value id_or_null(const struct uuid *id)
{
    return uuid_is_nil(id) ? DB_NIL : DB_ID(id);
}

enum errc outbox_next_id(struct db *db, const struct uuid *transaction_id, struct random *random,
                         int64_t now_us, struct uuid *id, struct err *err)
{
    const struct uuid made = uuid_new(random, now_us);
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT id FROM outbox WHERE transaction_id = $1 AND id >= $2"
                            " ORDER BY id DESC LIMIT 1",
                            DB_ID(transaction_id), DB_ID(&made));
    return rc == OK ? db_id_behind(&rows, &made, id, err) : rc;
}

enum errc outbox_append(struct db *db, const struct outbox_event *event, struct err *err)
{
    return db_run(
        db, NULL, err,
        "INSERT INTO outbox (id, merchant_id, livemode, transaction_id, type, body, status, attempts,"
        " next_attempt_us, created_us) VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0,"
        " CASE WHEN EXISTS (SELECT 1 FROM outbox WHERE transaction_id = $4 AND next_attempt_us IS NOT NULL)"
        " THEN " BEHIND " WHEN EXISTS (SELECT 1 FROM merchants WHERE id = $2 AND " HAS_ENDPOINT ") THEN $7"
        " ELSE " WAITING " END, $7)",
        DB_ID(&event->id), DB_ID(&event->merchant_id), DB_I64(event->livemode),
        id_or_null(&event->transaction_id), DB_STR(event->type), DB_STR(event->body),
        DB_I64(event->created_us));
}

static enum errc read_lane(struct db_rows *rows, struct outbox_lane *lane, bool *has, struct err *err)
{
    enum errc rc = db_next(rows, has, err);
    if (rc != OK || !*has) {
        return rc;
    }
    *lane = (struct outbox_lane){db_uuid(rows, 0), db_i64(rows, 1), db_bool(rows, 2)};
    return OK;
}

// The endpoint is asked for in a column and not in a join, which could begin at the merchants and visit them
// all.
#define ENDPOINT_OF_OUTBOX                                                                                   \
    "(SELECT CASE WHEN " HAS_ENDPOINT                                                                        \
    " THEN 1 ELSE 0 END FROM merchants WHERE merchants.id = outbox.merchant_id)"

enum errc outbox_next_lane(struct db *db, const struct uuid *after, struct outbox_lane *lane, bool *has,
                           struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT merchant_id, next_attempt_us, " ENDPOINT_OF_OUTBOX " FROM outbox"
                            " WHERE merchant_id > $1 AND " HAS_TIME " AND " WHOLE_ID
                            " ORDER BY merchant_id, next_attempt_us LIMIT 1",
                            DB_ID(after));
    return rc == OK ? read_lane(&rows, lane, has, err) : rc;
}

enum errc outbox_next_waiting(struct db *db, const struct uuid *after, struct outbox_lane *lane, bool *has,
                              struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT merchant_id, created_us, " ENDPOINT_OF_OUTBOX " FROM outbox"
                            " WHERE merchant_id > $1 AND next_attempt_us = " WAITING " AND " WHOLE_ID
                            " ORDER BY merchant_id, created_us LIMIT 1",
                            DB_ID(after));
    return rc == OK ? read_lane(&rows, lane, has, err) : rc;
}

enum errc outbox_first_time(struct db *db, const struct uuid *merchant_id, int64_t *first_us, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT next_attempt_us FROM outbox WHERE merchant_id = $1 AND " HAS_TIME
                            " ORDER BY next_attempt_us LIMIT 1",
                            DB_ID(merchant_id));
    bool has = false;
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK) {
        *first_us = has ? db_i64(&rows, 0) : INT64_MAX;
    }
    return rc;
}

// The outer condition repeats the inner one's, so that two processes that found the same row do not both get
// it.
enum errc outbox_claim(struct db *db, const struct uuid *merchant_id, int64_t now_us, int64_t lease_until_us,
                       struct arena *arena, struct outbox_event *event, bool *has, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err,
                 "UPDATE outbox SET status = 'processing', next_attempt_us = $3 WHERE id ="
                 " (SELECT id FROM outbox WHERE merchant_id = $1 AND next_attempt_us <= $2 AND " HAS_TIME
                 " ORDER BY next_attempt_us LIMIT 1) AND next_attempt_us <= $2"
                 " RETURNING id, livemode, transaction_id, type, body, attempts, created_us",
                 DB_ID(merchant_id), DB_I64(now_us), DB_I64(lease_until_us));
    if (rc == OK) {
        rc = db_next(&rows, has, err);
    }
    if (rc != OK || !*has) {
        return rc;
    }
    *event = (struct outbox_event){
        .id = db_uuid(&rows, 0),
        .merchant_id = *merchant_id,
        .livemode = db_bool(&rows, 1),
        .transaction_id = db_uuid(&rows, 2),
        .type = db_text(&rows, 3, arena),
        .body = db_text(&rows, 4, arena),
        .status = "processing",
        .attempts = db_count(&rows, 5),
        .next_attempt_us = lease_until_us,
        .created_us = db_i64(&rows, 6),
    };
    return OK;
}

enum errc outbox_set_aside(struct db *db, const struct outbox_event *claimed, int64_t until_us,
                           struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE outbox SET status = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END,"
                  " next_attempt_us = $3, last_error = 'a row that it needs is damaged'"
                  " WHERE id = $1 AND status = 'processing' AND next_attempt_us = $2",
                  DB_ID(&claimed->id), DB_I64(claimed->next_attempt_us), DB_I64(until_us));
}

// Makes the oldest open event of a transaction due if it stood behind one that is finished now.
static enum errc free_next(struct db *db, const struct uuid *transaction_id, int64_t now_us, struct err *err)
{
    if (uuid_is_nil(transaction_id)) {
        return OK;
    }
    return db_run(
        db, NULL, err,
        "UPDATE outbox SET next_attempt_us = $2 WHERE id = (SELECT id FROM outbox WHERE transaction_id = $1"
        " AND next_attempt_us IS NOT NULL ORDER BY id LIMIT 1) AND next_attempt_us = " BEHIND,
        DB_ID(transaction_id), DB_I64(now_us));
}

struct state {
    const char *status;
    struct db_value next_attempt;
};

static struct state state_after(const struct outbox_attempt *attempt)
{
    switch (attempt->outcome) {
    case OUTBOX_DELIVERED:
        return (struct state){"delivered", DB_NIL};
    case OUTBOX_DEAD:
        return (struct state){"dead", DB_NIL};
    case OUTBOX_RETRY:
        return (struct state){"retrying", DB_I64(attempt->retry_us)};
    case OUTBOX_GONE:
        return (struct state){"pending", DB_I64(OUTBOX_PARKED)};
    }
    require_failed("an outcome has a state", __FILE__, __LINE__);
}

// Where the merchant changed its endpoint since the claim, only this event waits, and only until the next
// sweep.
static enum errc stop_endpoint(struct db *db, const struct uuid *merchant_id,
                               const struct outbox_attempt *attempt, struct err *err)
{
    int64_t stopped = 0;
    enum errc rc = db_run(db, &stopped, err,
                          "UPDATE merchants SET webhook_stopped = 1 WHERE id = $1 AND updated_us = $2",
                          DB_ID(merchant_id), DB_I64(attempt->merchant_updated_us));
    if (rc != OK || stopped == 0) {
        return rc;
    }
    int64_t moved = 0;
    return outbox_park_merchant(db, merchant_id, attempt->at_us, &moved, err);
}

enum errc outbox_record(struct db *db, const struct outbox_event *claimed,
                        const struct outbox_attempt *attempt, bool *recorded, struct err *err)
{
    struct state state = state_after(attempt);
    bool delivered = attempt->outcome == OUTBOX_DELIVERED;
    int64_t changed = 0;
    enum errc rc = db_run(db, &changed, err,
                          "UPDATE outbox SET status = $3, next_attempt_us = $4, attempts = attempts + 1,"
                          " last_status_code = $5, last_error = $6, delivered_us = coalesce($7, delivered_us)"
                          " WHERE id = $1 AND status = 'processing' AND next_attempt_us = $2",
                          DB_ID(&claimed->id), DB_I64(claimed->next_attempt_us), DB_STR(state.status),
                          state.next_attempt, attempt->status_code ? DB_I64(attempt->status_code) : DB_NIL,
                          DB_STR(attempt->error), delivered ? DB_I64(attempt->at_us) : DB_NIL);
    if (rc != OK) {
        return rc;
    }
    *recorded = changed > 0;
    if (!*recorded || attempt->outcome == OUTBOX_RETRY) {
        return OK;
    }
    if (attempt->outcome == OUTBOX_GONE) {
        return stop_endpoint(db, &claimed->merchant_id, attempt, err);
    }
    return free_next(db, &claimed->transaction_id, attempt->at_us, err);
}

enum errc outbox_park_merchant(struct db *db, const struct uuid *merchant_id, int64_t now_us, int64_t *moved,
                               struct err *err)
{
    return db_run(db, moved, err,
                  "UPDATE outbox SET status = 'pending', next_attempt_us = " WAITING
                  " WHERE id IN (SELECT id FROM outbox WHERE merchant_id = $1 AND " HAS_TIME
                  " AND (status <> 'processing' OR next_attempt_us <= $2) ORDER BY next_attempt_us LIMIT $3)",
                  DB_ID(merchant_id), DB_I64(now_us), DB_I64(OUTBOX_BATCH_MAX));
}

enum errc outbox_release_merchant(struct db *db, const struct uuid *merchant_id, int64_t now_us,
                                  int64_t *moved, struct err *err)
{
    return db_run(
        db, moved, err,
        "UPDATE outbox SET next_attempt_us = $2 WHERE id IN (SELECT id FROM outbox WHERE merchant_id = $1"
        " AND next_attempt_us = " WAITING " ORDER BY created_us LIMIT $3)",
        DB_ID(merchant_id), DB_I64(now_us), DB_I64(OUTBOX_BATCH_MAX));
}

enum errc outbox_expire_parked(struct db *db, const struct uuid *merchant_id, int64_t made_before_us,
                               int64_t now_us, bool *has, struct err *err)
{
    struct uuid transaction_id;
    {
        DB_ROWS(rows);
        enum errc rc =
            db_query(db, &rows, err,
                     "UPDATE outbox SET status = 'dead', next_attempt_us = NULL,"
                     " last_error = 'there was no endpoint to send it to' WHERE id ="
                     " (SELECT id FROM outbox WHERE merchant_id = $1 AND next_attempt_us = " WAITING
                     " AND created_us < $2 ORDER BY created_us LIMIT 1) RETURNING transaction_id",
                     DB_ID(merchant_id), DB_I64(made_before_us));
        if (rc == OK) {
            rc = db_next(&rows, has, err);
        }
        if (rc != OK || !*has) {
            return rc;
        }
        transaction_id = db_uuid(&rows, 0);
    }
    return free_next(db, &transaction_id, now_us, err);
}

// Steps over every row that has a time, once, at start.
enum errc outbox_release_leases(struct db *db, int64_t now_us, int64_t *count, struct err *err)
{
    return db_run(db, count, err,
                  "UPDATE outbox SET status = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END,"
                  " next_attempt_us = $1 WHERE status = 'processing' AND " HAS_TIME,
                  DB_I64(now_us));
}

// The longest delay of a schedule and its jitter: retry_schedule_parse, retry_webhook_delay_us.
#define PUT_OFF_MAX_US INT64_C(725760000000)

enum errc outbox_clock_set_back(struct db *db, int64_t now_us, int64_t back_us, struct err *err)
{
    // At a start there may be very many, and mostly none is to be written.
    int64_t changed_after_us = back_us > 0 ? now_us : now_us + PUT_OFF_MAX_US;
    enum errc rc =
        db_run(db, NULL, err,
               "UPDATE outbox SET next_attempt_us = CASE WHEN next_attempt_us - $2 > $1"
               " AND next_attempt_us - $2 <= $3 THEN next_attempt_us - $2 ELSE $1 END"
               " WHERE next_attempt_us > $4 AND " HAS_TIME " AND status <> 'processing'",
               DB_I64(now_us), DB_I64(back_us), DB_I64(now_us + PUT_OFF_MAX_US), DB_I64(changed_after_us));
    if (rc != OK) {
        return rc;
    }
    // How long an event waits for an endpoint is told from when it was made.
    return db_run(db, NULL, err,
                  "UPDATE outbox SET created_us = $1 WHERE next_attempt_us IS NOT NULL AND created_us > $1",
                  DB_I64(now_us));
}
