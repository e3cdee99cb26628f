// Queries on the provider's events.
#include "store/inbox.h"

#include "store/columns.h"

// clang-format off
#define LISTED(FIRST, NEXT)                      \
    FIRST(id,          ID_OR_NULL, id)           \
    NEXT (livemode,    BOOL,       livemode)     \
    NEXT (event_id,    TEXT,       event_id)     \
    NEXT (type,        TEXT,       type)         \
    NEXT (payment_id,  ID_OR_NULL, payment_id)   \
    NEXT (outcome,     TEXT,       outcome)      \
    NEXT (reason,      TEXT,       reason)       \
    NEXT (received_us, I64,        received_us)
#define COLUMNS(FIRST, NEXT)                     \
    LISTED(FIRST, NEXT)                          \
    NEXT (merchant_id, ID,         merchant_id)  \
    NEXT (body,        BLOB,       body)
// clang-format on

enum errc inbox_record(struct db *db, const struct inbox_event *row, bool *fresh, struct err *err)
{
    int64_t changed = 0;
    enum errc rc = db_run(
        db, &changed, err,
        "INSERT INTO inbox " COLUMN_INSERT(
            COLUMNS) " ON CONFLICT (merchant_id, livemode, event_id) DO UPDATE"
                     " SET id = excluded.id, payment_id = excluded.payment_id, body = excluded.body,"
                     " outcome = excluded.outcome, reason = excluded.reason,"
                     " received_us = excluded.received_us"
                     " WHERE inbox.outcome = '" INBOX_IGNORED "' AND inbox.reason <> '" INBOX_DOES_NOT_FIT
                     "' AND excluded.outcome <> '" INBOX_IGNORED "'",
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

enum errc inbox_settle(struct db *db, const struct uuid *merchant_id, bool livemode, const char *event_id,
                       const char *ignored_because, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE inbox SET body = NULL, outcome = $4, reason = $5"
                  " WHERE merchant_id = $1 AND livemode = $2 AND event_id = $3",
                  DB_ID(merchant_id), DB_I64(livemode), DB_STR(event_id),
                  DB_STR(ignored_because != NULL ? INBOX_IGNORED : INBOX_APPLIED), DB_STR(ignored_because));
}

enum errc inbox_give_up(struct db *db, int64_t before_us, size_t max, struct err *err)
{
    return db_run(
        db, NULL, err,
        "UPDATE inbox SET body = NULL, outcome = '" INBOX_IGNORED "', reason = '" INBOX_PAYMENT_NEVER_CAME
        "' WHERE (merchant_id, livemode, event_id) IN"
        " (SELECT merchant_id, livemode, event_id FROM inbox WHERE body IS NOT NULL AND received_us < $1"
        " ORDER BY merchant_id, payment_id, received_us LIMIT $2)",
        DB_I64(before_us), DB_I64((int64_t)max));
}

// --- the list

void inbox_listed_read(struct db_rows *rows, struct arena *arena, struct inbox_event *row)
{
    *row = (struct inbox_event){0};
    COLUMN_READ(LISTED, rows);
}

// Nearly all events are applied.
#define RARE "outcome <> 'applied'"
static const struct filter_word outcomes[] = {
    {INBOX_APPLIED}, {INBOX_KEPT, RARE}, {INBOX_IGNORED, RARE}, {NULL}};

static const struct filter filters[] = {
    {"event_type", FILTER_TEXT, "type = :value"},
    {"outcome", FILTER_WORD, "outcome = :value", outcomes, REACH_RANGE},
    {"payment_id", FILTER_ID, "payment_id = :value", NULL, REACH_RANGE},
    // Through ids, so that PostgreSQL searches the key and not the merchant's events.
    {"provider_ref", FILTER_TEXT,
     "id IN (SELECT id FROM inbox WHERE merchant_id = :owner AND livemode = :mode AND event_id = :value)",
     NULL, REACH_FEW},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing inbox_listing = {
    .name = "inbound-events",
    .table = "inbox",
    .columns = COLUMN_NAMES(LISTED),
    .owner = "merchant_id = :owner",
    .always = "id IS NOT NULL",
    .time = "received_us",
    .has_modes = true,
    .filters = filters,
};
