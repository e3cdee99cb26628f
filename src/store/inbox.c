// Queries on the provider's events.
#include "store/inbox.h"

enum errc inbox_record(struct db *db, const struct inbox_event *event, bool *fresh, struct err *err)
{
    int64_t changed = 0;
    enum errc rc =
        db_run(db, &changed, err,
               "INSERT INTO inbox (merchant_id, livemode, event_id, type, payment_id, body, received_us)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
               DB_ID(&event->merchant_id), DB_I64(event->livemode), DB_STR(event->event_id),
               DB_STR(event->type), uuid_is_nil(&event->payment_id) ? DB_NIL : DB_ID(&event->payment_id),
               DB_BYTES(event->body, event->body_bytes), DB_I64(event->received_us));
    *fresh = changed == 1;
    return rc;
}

// Every kept event names a payment. Saying so makes the index of kept events the better one: by the key all
// events that the merchant ever had would be walked through.
enum errc inbox_kept_count(struct db *db, const struct uuid *merchant_id, int64_t *count, struct err *err)
{
    *count = 0;
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT count(*) FROM inbox WHERE merchant_id = $1 AND payment_id >= $2"
                            " AND body IS NOT NULL",
                            DB_ID(merchant_id), DB_BYTES("", 0));
    bool has = false;
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK && has) {
        *count = db_i64(&rows, 0);
    }
    return rc;
}

// In the order of the index of kept events, of which there are few: in that of their age every event that
// there was in 35 days would be walked through, at each sweep.
enum errc inbox_ready(struct db *db, struct arena *arena, struct inbox_event *events, size_t max,
                      size_t *count, struct err *err)
{
    *count = 0;
    DB_ROWS(rows);
    enum errc rc = db_query(
        db, &rows, err,
        "SELECT merchant_id, livemode, event_id, type, payment_id, body, received_us FROM inbox"
        " WHERE body IS NOT NULL AND payment_id IN (SELECT id FROM payments"
        " WHERE payments.id = inbox.payment_id) ORDER BY merchant_id, payment_id, received_us LIMIT $1",
        DB_I64((int64_t)max));
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            struct inbox_event *event = &events[(*count)++];
            *event = (struct inbox_event){
                .merchant_id = db_uuid(&rows, 0),
                .livemode = db_bool(&rows, 1),
                .event_id = db_text(&rows, 2, arena),
                .type = db_text(&rows, 3, arena),
                .payment_id = db_uuid(&rows, 4),
                .received_us = db_i64(&rows, 6),
            };
            event->body = db_blob(&rows, 5, arena, &event->body_bytes);
        }
    }
    return rc;
}

enum errc inbox_done(struct db *db, const struct inbox_event *event, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE inbox SET body = NULL WHERE merchant_id = $1 AND livemode = $2 AND event_id = $3",
                  DB_ID(&event->merchant_id), DB_I64(event->livemode), DB_STR(event->event_id));
}

enum errc inbox_give_up(struct db *db, int64_t before_us, size_t max, struct err *err)
{
    return db_run(
        db, NULL, err,
        "UPDATE inbox SET body = NULL WHERE (merchant_id, livemode, event_id) IN"
        " (SELECT merchant_id, livemode, event_id FROM inbox WHERE body IS NOT NULL AND received_us < $1"
        " ORDER BY merchant_id, payment_id, received_us LIMIT $2)",
        DB_I64(before_us), DB_I64((int64_t)max));
}

enum errc inbox_prune(struct db *db, int64_t before_us, size_t max, struct err *err)
{
    return db_run(
        db, NULL, err,
        "DELETE FROM inbox WHERE (merchant_id, livemode, event_id) IN"
        " (SELECT merchant_id, livemode, event_id FROM inbox WHERE received_us < $1 ORDER BY received_us"
        " LIMIT $2)",
        DB_I64(before_us), DB_I64((int64_t)max));
}
