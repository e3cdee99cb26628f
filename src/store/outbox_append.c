// How a new event is written. One statement reads its place among the events of its transaction and of its
// merchant; each part of it has an index. It locks an open event of the transaction, if there is one: that
// event cannot finish before the new one is there to be unblocked, whichever node sends it. Database threads.
#include "store/columns.h"
#include "store/job.h"
#include "store/outbox_private.h"

// clang-format off
#define ENDPOINT(FIRST, NEXT)                                                     \
    FIRST(webhook_url,                 TEXT,        webhook_url)                  \
    NEXT (webhook_secret,              BLOB,        webhook_secret)               \
    NEXT (webhook_secret_old,          BLOB,        webhook_secret_old)           \
    NEXT (webhook_secret_old_until_us, I64_OR_NULL, webhook_secret_old_until_us)  \
    NEXT (webhook_stopped,             BOOL,        webhook_stopped)              \
    NEXT (updated_us,                  I64,         updated_us)
// clang-format on

// Reads the merchant after the other columns: if its row is damaged, the event waits for a claim, which sets
// it aside.
static enum errc read_next(struct db_rows *rows, struct tx *tx, const struct uuid *made,
                           struct outbox_next *next, struct err *err)
{
    struct arena *arena = tx->arena;
    struct merchant *row = &next->merchant;
    const int others = COLUMN_COUNT(ENDPOINT);
    enum errc rc = db_id_after(rows, others, made, &next->id, err);
    if (rc != OK) {
        return rc;
    }
    bool blocked = db_bool(rows, others + 1);
    bool has_endpoint = db_bool(rows, others + 2);
    bool others_due = !db_is_null(rows, others + 3) && db_i64(rows, others + 3) <= tx->now_us;
    next->endpoint_fails = db_bool(rows, others + 4);
    next->next_attempt_us = blocked ? OUTBOX_BLOCKED : !has_endpoint ? OUTBOX_PARKED : tx->now_us;
    if (!blocked && has_endpoint && !others_due) {
        COLUMN_READ(ENDPOINT, rows);
        next->is_only_due = !db_take_damage(tx->db);
    }
    return OK;
}

enum errc outbox_next(struct tx *tx, const struct uuid *merchant_id, const struct uuid *transaction_id,
                      struct outbox_next *next, struct err *err)
{
    const struct uuid made = uuid_new(tx->random, tx->now_us);
    *next = (struct outbox_next){.id = made, .next_attempt_us = OUTBOX_PARKED, .merchant.id = *merchant_id};
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(
        tx->db, &rows, &has, err,
        "SELECT " COLUMN_NAMES(
            ENDPOINT) ", (SELECT o.id FROM outbox o WHERE o.transaction_id = $1 ORDER BY o.id DESC LIMIT 1),"
                      " EXISTS (SELECT 1 FROM outbox o WHERE o.transaction_id = $1 AND " HIDDEN_TIME
                      " > 0" LOCKED "), " HAS_ENDPOINT
                      ", (SELECT o.next_attempt_us FROM outbox o WHERE o.merchant_id = $2"
                      " AND o." HAS_TIME " ORDER BY o.next_attempt_us LIMIT 1), " ENDPOINT_FAILS(
                          "$2") " FROM merchants WHERE id = $2",
        DB_ID_OR_NULL(transaction_id), DB_ID(merchant_id));
    return has ? read_next(&rows, tx, &made, next, err) : rc;
}

// Leases the event for the delivery if it can be sent right after the commit. If not, a claim finds it.
static void lease(struct tx *tx, const struct outbox_next *next, struct outbox_event *event)
{
    const struct event_listener *events = tx->events;
    event->node_id = tx->node_id;
    struct event_lease *leased = next->is_only_due && events != NULL && events->lease != NULL
                                     ? events->lease(events->context, event, next, tx->now_us)
                                     : NULL;
    if (leased != NULL) {
        leased->next = tx->leases;
        tx->leases = leased;
        return;
    }
    event->node_id = (struct uuid){0};
    tx->event_due |= event->next_attempt_us == tx->now_us;
}

enum errc outbox_append(struct tx *tx, const struct outbox_next *next, struct outbox_event *event,
                        struct err *err)
{
    event->status = "pending";
    event->next_attempt_us = next->next_attempt_us;
    lease(tx, next, event);
    return db_run(
        tx->db, NULL, err,
        "INSERT INTO outbox (id, merchant_id, livemode, transaction_id, type, body, status, attempts,"
        " next_attempt_us, created_us, node_id) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10)",
        DB_ID(&event->id), DB_ID(&event->merchant_id), DB_I64(event->livemode),
        DB_ID_OR_NULL(&event->transaction_id), DB_STR(event->type), DB_STR(event->body),
        DB_STR(event->status), DB_I64(event->next_attempt_us), DB_I64(event->created_us),
        DB_ID_OR_NULL(&event->node_id));
}
