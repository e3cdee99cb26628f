// See outbox_log.h. Database threads.
#include "store/outbox_log.h"

#define COLUMNS                                                                                              \
    "id, livemode, transaction_id, type, status, attempts, next_attempt_us, last_status_code, last_error, "  \
    "delivered_us, created_us"

void outbox_log_read(struct db_rows *rows, struct arena *arena, struct outbox_event *event)
{
    *event = (struct outbox_event){
        .id = db_uuid(rows, 0),
        .livemode = db_bool(rows, 1),
        .transaction_id = db_uuid(rows, 2),
        .type = db_text(rows, 3, arena),
        .status = db_text(rows, 4, arena),
        .attempts = db_count(rows, 5),
        .next_attempt_us = db_i64(rows, 6),
        .last_status_code = db_count(rows, 7),
        .last_error = db_text(rows, 8, arena),
        .delivered_us = db_i64(rows, 9),
        .created_us = db_i64(rows, 10),
    };
}

enum errc outbox_log_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                         struct arena *arena, struct outbox_event *event, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc =
        db_query(db, &rows, err, "SELECT " COLUMNS " FROM outbox WHERE id = $1 AND merchant_id = $2",
                 DB_ID(id), DB_ID(merchant_id));
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc != OK) {
        return rc;
    }
    if (!has) {
        return err_set(err, ERR_NOT_FOUND, "no such event");
    }
    outbox_log_read(&rows, arena, event);
    return OK;
}

enum errc outbox_redeliver(struct db *db, const struct uuid *id, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE outbox SET status = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END,"
                  " next_attempt_us = $2 WHERE id = $1 AND status <> 'processing'",
                  DB_ID(id), DB_I64(now_us));
}

// What is not finished, and what died, is little beside all that was delivered: each has an index.
#define UNFINISHED "next_attempt_us IS NOT NULL"
static const struct filter_word statuses[] = {
    {"pending", UNFINISHED},  {"processing", UNFINISHED},  {"delivered"},
    {"retrying", UNFINISHED}, {"dead", "status = 'dead'"}, {NULL}};

static const struct filter_word types[] = {
    {"payment.completed"}, {"payment.failed"},   {"payment.capturable"},     {"payment.refunded"},
    {"refund.failed"},     {"payment.disputed"}, {"payment.dispute_closed"}, {"card.saved"},
    {"card.failed"},       {"card.expiring"},    {"webhook.test"},           {NULL}};

static const struct filter filters[] = {
    {"status", FILTER_WORD, "status = :value", statuses},
    {"event_type", FILTER_WORD, "type = :value", types},
    // By way of ids, so that they are looked for among the transaction's events and not among the merchant's.
    {"transaction_id", FILTER_ID, "id IN (SELECT id FROM outbox WHERE transaction_id = :value)"},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing outbox_log_listing = {
    .name = "webhook-logs",
    .table = "outbox",
    .columns = COLUMNS,
    .owner = "merchant_id = :owner",
    .has_modes = true,
    .filters = filters,
};
