// Queries on the provider's events.
#include "store/inbox.h"

#include "store/columns.h"

// clang-format off
#define COLUMNS(FIRST, NEXT)                     \
    FIRST(merchant_id, ID,         merchant_id)  \
    NEXT (livemode,    BOOL,       livemode)     \
    NEXT (event_id,    TEXT,       event_id)     \
    NEXT (type,        TEXT,       type)         \
    NEXT (payment_id,  ID_OR_NULL, payment_id)   \
    NEXT (body,        BLOB,       body)         \
    NEXT (received_us, I64,        received_us)
// clang-format on

enum errc inbox_record(struct db *db, const struct inbox_event *row, bool *fresh, struct err *err)
{
    int64_t changed = 0;
    enum errc rc =
        db_run(db, &changed, err, "INSERT INTO inbox " COLUMN_INSERT(COLUMNS) " ON CONFLICT DO NOTHING",
               COLUMN_VALUES(COLUMNS));
    *fresh = changed == 1;
    return rc;
}

// Every kept event names a payment. The condition on payment_id makes SQLite use the index of kept events;
// with the key it would walk all the events that the merchant ever had.
enum errc inbox_kept_count(struct db *db, const struct uuid *merchant_id, int64_t *count, struct err *err)
{
    *count = 0;
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "no count", err,
                          "SELECT count(*) FROM inbox WHERE merchant_id = $1 AND payment_id >= $2"
                          " AND body IS NOT NULL",
                          DB_ID(merchant_id), DB_BYTES("", 0));
    if (rc == OK) {
        *count = db_i64(&rows, 0);
    }
    return rc;
}

// In the order of the index of kept events, of which there are few. In the order of their age each sweep
// would walk every event of 35 days.
enum errc inbox_ready(struct db *db, struct arena *arena, struct inbox_event *events, size_t max,
                      size_t *count, struct err *err)
{
    *count = 0;
    DB_ROWS(rows);
    enum errc rc = db_query(
        db, &rows, err,
        "SELECT " COLUMN_NAMES(COLUMNS) " FROM inbox"
                                        " WHERE body IS NOT NULL AND payment_id IN (SELECT id FROM payments"
                                        " WHERE payments.id = inbox.payment_id) ORDER BY merchant_id, "
                                        "payment_id, received_us LIMIT $1" FREE_ONLY,
        DB_I64((int64_t)max));
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            struct inbox_event *row = &events[(*count)++];
            COLUMN_READ(COLUMNS, &rows);
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
