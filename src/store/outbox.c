// The outbox's queries. Database threads.
//
// The indexes keep a claim cheap. The claim walks the merchants in the order of their ids and finds each by
// one seek in outbox_open(merchant_id, next_attempt_us), an index over only those rows that have a time:
//     SEARCH outbox USING INDEX outbox_open (merchant_id>?)
// This yields the next merchant and its earliest time. Only if that is due, a second seek finds the event:
//     SEARCH outbox USING INDEX outbox_open (merchant_id=? AND next_attempt_us<?)
// So a claim never steps over the 100,000 open events of one merchant, over finished events or over merchants
// without an endpoint. A walk by time would meet every due event of a merchant that already has its share of
// deliveries in flight. These statements repeat the index's condition word for word, or SQLite would not know
// that it may use the index.
#include "store/outbox_private.h"

#include "base/require.h"
#include "store/columns.h"
#include "store/nodes.h"

// An id of another length is damage, and a walk could not go on from it.
#define WHOLE_ID "length(merchant_id) = 16"

static enum errc read_queue(struct db_rows *rows, struct outbox_queue *queue, bool *has, struct err *err)
{
    enum errc rc = db_next(rows, has, err);
    if (rc == OK && *has) {
        *queue = (struct outbox_queue){db_uuid(rows, 0), db_i64(rows, 1), db_bool(rows, 2), db_bool(rows, 3)};
    }
    return rc;
}

// A column and not a join: SQLite could begin a join at the merchants and visit all of them.
#define ENDPOINT_OF_OUTBOX                                                                                   \
    "(SELECT CASE WHEN " HAS_ENDPOINT                                                                        \
    " THEN 1 ELSE 0 END FROM merchants WHERE merchants.id = outbox.merchant_id)"

enum errc outbox_next_queue(struct db *db, const struct uuid *after, struct outbox_queue *queue, bool *has,
                            struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT merchant_id, next_attempt_us, " ENDPOINT_OF_OUTBOX ", " ENDPOINT_FAILS(
                                "outbox.merchant_id") " FROM outbox"
                                                      " WHERE merchant_id > $1 AND " HAS_TIME " AND " WHOLE_ID
                                                      " ORDER BY merchant_id, next_attempt_us LIMIT 1",
                            DB_ID(after));
    return rc == OK ? read_queue(&rows, queue, has, err) : rc;
}

enum errc outbox_next_parked(struct db *db, const struct uuid *after, struct outbox_queue *queue, bool *has,
                             struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err,
                 "SELECT merchant_id, created_us, " ENDPOINT_OF_OUTBOX ", " ENDPOINT_FAILS(
                     "outbox.merchant_id") " FROM outbox"
                                           " WHERE merchant_id > $1 AND next_attempt_us = " PARKED
                                           " AND " WHOLE_ID " ORDER BY merchant_id, created_us LIMIT 1",
                 DB_ID(after));
    return rc == OK ? read_queue(&rows, queue, has, err) : rc;
}

enum errc outbox_first_time(struct db *db, const struct uuid *merchant_id, int64_t *first_us, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err,
                            "SELECT next_attempt_us FROM outbox WHERE merchant_id = $1 AND " HAS_TIME
                            " ORDER BY next_attempt_us LIMIT 1" FREE_ONLY,
                            DB_ID(merchant_id));
    if (rc == OK) {
        *first_us = has ? db_i64(&rows, 0) : INT64_MAX;
    }
    return rc;
}

// clang-format off
#define CLAIMED(FIRST, NEXT)                      \
    FIRST(id,             ID,    id)              \
    NEXT (livemode,       BOOL,  livemode)        \
    NEXT (transaction_id, ID,    transaction_id)  \
    NEXT (type,           TEXT,  type)            \
    NEXT (body,           TEXT,  body)            \
    NEXT (attempts,       COUNT, attempts)        \
    NEXT (created_us,     I64,   created_us)
// clang-format on

// An UPDATE with RETURNING would fill a scratch table, which costs more than both of these statements. The
// row is claimed by the bytes of its id, so that a damaged row is, too.
enum errc outbox_claim(struct db *db, const struct uuid *merchant_id, const struct uuid *node_id,
                       int64_t now_us, int64_t lease_until_us, struct arena *arena, struct outbox_event *row,
                       bool *has, bool *damaged, struct err *err)
{
    DB_ROWS(rows);
    *damaged = false;
    enum errc rc = db_first(
        db, &rows, has, err,
        "SELECT " COLUMN_NAMES(CLAIMED) " FROM outbox WHERE merchant_id = $1"
                                        " AND next_attempt_us <= $2 AND " HAS_TIME " AND " NODES_MAY_CLAIM(
                                            "$3") " AND (SELECT " HAS_ENDPOINT
                                                  " FROM merchants WHERE id = $1)"
                                                  " ORDER BY next_attempt_us LIMIT 1" FREE_ONLY,
        DB_ID(merchant_id), DB_I64(now_us), DB_ID(node_id));
    if (rc != OK || !*has) {
        return rc;
    }
    size_t id_bytes = 0;
    const uint8_t *id = db_blob(&rows, 0, arena, &id_bytes);
    *row = (struct outbox_event){.merchant_id = *merchant_id,
                                 .status = "processing",
                                 .next_attempt_us = lease_until_us,
                                 .node_id = *node_id};
    COLUMN_READ(CLAIMED, &rows);
    db_rows_close(&rows);
    *damaged = db_take_damage(db);
    return db_run(db, NULL, err,
                  "UPDATE outbox SET status = 'processing', next_attempt_us = $2, node_id = $3 WHERE id = $1",
                  DB_BYTES(id, id_bytes), DB_I64(lease_until_us), DB_ID_OR_NULL(node_id));
}

// The lease by which a claim finds its event again.
#define LEASE(until_us, node_id)                                                                             \
    "status = 'processing' AND " HIDDEN_TIME " = " until_us " AND node_id IS NOT DISTINCT FROM " node_id

enum errc outbox_set_aside(struct db *db, const struct outbox_event *claimed, int64_t until_us,
                           struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE outbox SET status = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END,"
                  " next_attempt_us = $3, node_id = NULL, last_error = 'a row that it needs is damaged'"
                  " WHERE id = $1 AND " LEASE("$2", "$4"),
                  DB_ID(&claimed->id), DB_I64(claimed->next_attempt_us), DB_I64(until_us),
                  DB_ID_OR_NULL(&claimed->node_id));
}

static enum errc has_blocked(struct db *db, const struct uuid *transaction_id, bool *has, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, has, err,
                    "SELECT 1 FROM outbox WHERE transaction_id = $1 AND " HIDDEN_TIME " = " BLOCKED
                    " LIMIT 1",
                    DB_ID(transaction_id));
}

// An event of this transaction has finished: makes the next one due if it was blocked. Mostly none is, and
// has_blocked costs less.
static enum errc unblock_next(struct db *db, const struct uuid *transaction_id, int64_t now_us,
                              struct err *err)
{
    return db_run(
        db, NULL, err,
        "UPDATE outbox SET next_attempt_us = $2 WHERE id = (SELECT id FROM outbox WHERE transaction_id = $1"
        " AND " HIDDEN_TIME " > 0 ORDER BY id LIMIT 1) AND next_attempt_us = " BLOCKED,
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

// Parks the merchant's events. If the merchant changed its endpoint after the claim, only this event is
// parked, and only until the next sweep.
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

// Mostly nothing changes, so that no row is written. If attempts at one merchant overlap, the next one
// corrects what an older one wrote.
static enum errc note_endpoint(struct db *db, const struct uuid *merchant_id,
                               const struct outbox_attempt *attempt, struct err *err)
{
    bool fails = attempt->outcome == OUTBOX_RETRY || attempt->outcome == OUTBOX_DEAD;
    if (fails == attempt->endpoint_failed) {
        return OK;
    }
    return fails ? db_run(db, NULL, err,
                          "INSERT INTO failing_endpoints (merchant_id) VALUES ($1) ON CONFLICT DO NOTHING",
                          DB_ID(merchant_id))
                 : db_run(db, NULL, err, "DELETE FROM failing_endpoints WHERE merchant_id = $1",
                          DB_ID(merchant_id));
}

static enum errc lock_leased(struct db *db, const struct outbox_event *claimed, bool *held, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, held, err, "SELECT 1 FROM outbox WHERE id = $1 AND " LEASE("$2", "$3") LOCKED,
                    DB_ID(&claimed->id), DB_I64(claimed->next_attempt_us), DB_ID_OR_NULL(&claimed->node_id));
}

void outbox_ask_record(struct db *db, const struct outbox_event *claimed)
{
    bool ignored;
    struct err err;
    db_asked(lock_leased(db, claimed, &ignored, &err));
    db_asked(has_blocked(db, &claimed->transaction_id, &ignored, &err));
}

static enum errc write_attempt(struct db *db, const struct outbox_event *claimed,
                               const struct outbox_attempt *attempt, struct err *err)
{
    struct state state = state_after(attempt);
    bool delivered = attempt->outcome == OUTBOX_DELIVERED;
    return db_run(db, NULL, err,
                  "UPDATE outbox SET status = $2, next_attempt_us = $3, node_id = NULL,"
                  " attempts = attempts + 1, last_status_code = $4, last_error = $5,"
                  " delivered_us = coalesce($6, delivered_us) WHERE id = $1",
                  DB_ID(&claimed->id), DB_STR(state.status), state.next_attempt,
                  attempt->status_code ? DB_I64(attempt->status_code) : DB_NIL, DB_STR(attempt->error),
                  delivered ? DB_I64(attempt->at_us) : DB_NIL);
}

// Asks for a blocked event only once it has the lock: until then one may be added.
enum errc outbox_record(struct db *db, const struct outbox_event *claimed,
                        const struct outbox_attempt *attempt, struct outbox_recorded *recorded,
                        struct err *err)
{
    bool blocks = false;
    bool finishes = attempt->outcome == OUTBOX_DELIVERED || attempt->outcome == OUTBOX_DEAD;
    *recorded = (struct outbox_recorded){0};
    enum errc rc = lock_leased(db, claimed, &recorded->done, err);
    if (rc == OK && recorded->done && finishes && !uuid_is_nil(&claimed->transaction_id)) {
        rc = has_blocked(db, &claimed->transaction_id, &blocks, err);
    }
    if (rc == OK && recorded->done) {
        rc = write_attempt(db, claimed, attempt, err);
    }
    if (rc != OK || !recorded->done) {
        return rc;
    }
    rc = note_endpoint(db, &claimed->merchant_id, attempt, err);
    if (rc == OK && attempt->outcome == OUTBOX_GONE) {
        return stop_endpoint(db, &claimed->merchant_id, attempt, err);
    }
    recorded->next_is_due = blocks;
    return rc == OK && blocks ? unblock_next(db, &claimed->transaction_id, attempt->at_us, err) : rc;
}

// The conditions of the inner SELECT are repeated by the UPDATE, here and below: another node may have
// changed the row between the two.
enum errc outbox_park_merchant(struct db *db, const struct uuid *merchant_id, int64_t now_us, int64_t *moved,
                               struct err *err)
{
    return db_run(db, moved, err,
                  "UPDATE outbox SET status = 'pending', node_id = NULL, next_attempt_us = " PARKED
                  " WHERE id IN (SELECT id FROM outbox WHERE merchant_id = $1 AND " HAS_TIME
                  " AND (status <> 'processing' OR next_attempt_us <= $2) ORDER BY next_attempt_us LIMIT $3)"
                  " AND " HAS_TIME " AND (status <> 'processing' OR next_attempt_us <= $2)",
                  DB_ID(merchant_id), DB_I64(now_us), DB_I64(OUTBOX_BATCH_MAX));
}

enum errc outbox_release_merchant(struct db *db, const struct uuid *merchant_id, int64_t now_us,
                                  int64_t *moved, struct err *err)
{
    return db_run(
        db, moved, err,
        "UPDATE outbox SET next_attempt_us = $2 WHERE id IN (SELECT id FROM outbox WHERE merchant_id = $1"
        " AND next_attempt_us = " PARKED " ORDER BY created_us LIMIT $3) AND next_attempt_us = " PARKED,
        DB_ID(merchant_id), DB_I64(now_us), DB_I64(OUTBOX_BATCH_MAX));
}

enum errc outbox_expire_parked(struct db *db, const struct uuid *merchant_id, int64_t made_before_us,
                               int64_t now_us, bool *has, struct err *err)
{
    struct uuid transaction_id;
    {
        DB_ROWS(rows);
        enum errc rc =
            db_first(db, &rows, has, err,
                     "UPDATE outbox SET status = 'dead', next_attempt_us = NULL,"
                     " last_error = 'there was no endpoint to send it to' WHERE id ="
                     " (SELECT id FROM outbox WHERE merchant_id = $1 AND next_attempt_us = " PARKED
                     " AND created_us < $2 ORDER BY created_us LIMIT 1) AND next_attempt_us = " PARKED
                     " RETURNING transaction_id",
                     DB_ID(merchant_id), DB_I64(made_before_us));
        if (!*has) {
            return rc;
        }
        transaction_id = db_uuid(&rows, 0);
    }
    return unblock_next(db, &transaction_id, now_us, err);
}

// --- the merchant's view

// clang-format off
#define LOG(FIRST, NEXT)                              \
    FIRST(id,               ID,    id)                \
    NEXT (livemode,         BOOL,  livemode)          \
    NEXT (transaction_id,   ID,    transaction_id)    \
    NEXT (type,             TEXT,  type)              \
    NEXT (status,           TEXT,  status)            \
    NEXT (attempts,         COUNT, attempts)          \
    NEXT (next_attempt_us,  I64,   next_attempt_us)   \
    NEXT (last_status_code, COUNT, last_status_code)  \
    NEXT (last_error,       TEXT,  last_error)        \
    NEXT (delivered_us,     I64,   delivered_us)      \
    NEXT (created_us,       I64,   created_us)
// clang-format on

void outbox_log_read(struct db_rows *rows, struct arena *arena, struct outbox_event *row)
{
    *row = (struct outbox_event){0};
    COLUMN_READ(LOG, rows);
}

enum errc outbox_log_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                         struct arena *arena, struct outbox_event *event, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "no such event", err,
                          "SELECT " COLUMN_NAMES(LOG) " FROM outbox WHERE id = $1 AND merchant_id = $2",
                          DB_ID(id), DB_ID(merchant_id));
    if (rc == OK) {
        outbox_log_read(&rows, arena, event);
    }
    return rc;
}

enum errc outbox_redeliver(struct db *db, const struct uuid *id, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE outbox SET status = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END,"
                  " next_attempt_us = $2 WHERE id = $1 AND status <> 'processing'",
                  DB_ID(id), DB_I64(now_us));
}

// Few events are unfinished or dead, so each of the two has an index.
#define UNFINISHED "next_attempt_us IS NOT NULL"
static const struct filter_word statuses[] = {
    {"pending", UNFINISHED},  {"processing", UNFINISHED},  {"delivered"},
    {"retrying", UNFINISHED}, {"dead", "status = 'dead'"}, {NULL}};

static const struct filter_word types[] = {
    {"payment.completed"}, {"payment.failed"},   {"payment.capturable"},     {"payment.refunded"},
    {"refund.failed"},     {"payment.disputed"}, {"payment.dispute_closed"}, {"card.saved"},
    {"card.failed"},       {"card.expiring"},    {"webhook.test"},           {NULL}};

static const struct filter filters[] = {
    {"status", FILTER_WORD, "status = :value", statuses, REACH_PART},
    {"event_type", FILTER_WORD, "type = :value", types},
    // Through ids, so that SQLite searches the transaction's events and not the merchant's.
    {"transaction_id", FILTER_ID, "id IN (SELECT id FROM outbox WHERE transaction_id = :value)", NULL,
     REACH_FEW},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing outbox_log_listing = {
    .name = "webhook-logs",
    .table = "outbox",
    .columns = COLUMN_NAMES(LOG),
    .owner = "merchant_id = :owner",
    .has_modes = true,
    .filters = filters,
};
