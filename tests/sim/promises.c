// See promises.h.
#include "promises.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "client.h"
#include "endpoints.h"
#include "ledger.h"
#include "rows.h"
#include "service.h"
#include "world.h"

// What may stay open is what is asked after for as long as the payer or the provider takes.
// What was made by a clock that was ahead, and is not found at Stripe, stays open until that time has come.
#define OF_THE_FUTURE "(kind IN ('charge', 'refund') AND created_us > :now)"
#define OF_A_PAYER "(kind = 'card_setup' AND subject_id IN (SELECT id FROM cards WHERE status = 'pending'))"
#define OWED "kind NOT IN ('sync', 'refund_sync', 'events') AND NOT " OF_THE_FUTURE " AND NOT " OF_A_PAYER

// --- at any moment

// What is completed or asked for may never sum to more than was captured.
static void check_reservations(void)
{
    rows_none(
        "refunds completed sum to more than was captured",
        "SELECT hex(p.id) FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.status = 'completed'"
        " GROUP BY p.id HAVING sum(r.amount_minor) > p.captured_minor");
    if (world.dashboard) {
        return;
    }
    rows_none(
        "refunds sum to more than was captured",
        "SELECT hex(p.id) FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.status <> 'failed'"
        " GROUP BY p.id HAVING sum(r.amount_minor) > p.captured_minor");
}

void promises_check_now(void)
{
    bool faults_off = world.faults_off;
    world.faults_off = true; // to look does no harm
    if (rows_open()) {
        check_reservations();
    }
    world.faults_off = faults_off;
}

void promises_make_due(void)
{
    REQUIRE(rows_open());
    rows_change("UPDATE operations SET next_attempt_us = 0");
}

bool promises_are_idle(void)
{
    if (client_is_busy() || !rows_open()) {
        return false;
    }
    int64_t open = rows_number("SELECT count(*) FROM operations WHERE " OWED " OR next_attempt_us = 0");
    open += rows_number("SELECT count(*) FROM outbox WHERE status NOT IN ('delivered', 'dead')");
    return open == 0;
}

// --- at the end: the provider's books

static void check_payment(sqlite3_stmt *row)
{
    char id[UUID_TEXT_BYTES];
    rows_id(row, 0, id);
    const char *status = rows_text(row, 1);
    int64_t captured = sqlite3_column_int64(row, 2);
    int64_t refunded = sqlite3_column_int64(row, 3);
    const char *ref = rows_text(row, 4);
    bool made = text_equal(status, "completed") || text_equal(status, "refunded");
    struct json_object *charge = NULL;
    int charges = ledger_captured(id, &charge);
    if (charges > 1) {
        violation("payment %s was charged %d times", id, charges);
    }
    if (made != (charges > 0)) {
        violation("payment %s is %s, and was charged %d times", id, status, charges);
    }
    if (charge != NULL && json_get_i64(charge, "amount_captured", -1) != captured) {
        violation("payment %s: %lld captured here", id, (long long)captured);
    }
    // While its clock is far off the service refuses Stripe's events; Stripe sends them again for three days,
    // which is longer than a run.
    if (ref != NULL && !world.clock_was_far && ledger_refunded_minor(ref) != refunded) {
        violation("payment %s: %lld refunded here, %lld at the provider", id, (long long)refunded,
                  (long long)ledger_refunded_minor(ref));
    }
    if (text_equal(status, "refunded") != (captured > 0 && refunded == captured)) {
        violation("payment %s is %s with %lld of %lld refunded", id, status, (long long)refunded,
                  (long long)captured);
    }
    if (text_equal(status, "pending") && ref == NULL && sqlite3_column_int64(row, 5) == 0) {
        violation("what became of payment %s is never known", id);
    }
}

static void check_payments(void)
{
    ROWS row =
        rows_of("SELECT id, status, captured_minor, refunded_minor, provider_ref, EXISTS (SELECT 1"
                " FROM operations WHERE subject_id = payments.id AND " OF_THE_FUTURE ") FROM payments");
    while (sqlite3_step(row) == SQLITE_ROW) {
        check_payment(row);
    }
}

static int64_t rows_with(const char *table, const char *id)
{
    struct uuid uuid;
    char hex[2 * sizeof(uuid.bytes) + 1];
    char sql[200];
    if (id == NULL || !uuid_parse(id, &uuid)) {
        return 0;
    }
    text_hex(uuid.bytes, sizeof(uuid.bytes), hex);
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE id = x'%s'", table, hex);
    return rows_number(sql);
}

static int64_t times_told(const char *payment_id, const char *type)
{
    ROWS statement = rows_of("SELECT count(*) FROM outbox WHERE transaction_id = ? AND type = ?");
    struct uuid id;
    REQUIRE(uuid_parse(payment_id, &id));
    sqlite3_bind_blob(statement, 1, id.bytes, sizeof(id.bytes), SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, type, -1, SQLITE_STATIC);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    return sqlite3_column_int64(statement, 0);
}

// A charge of nobody's: its payment is not in the books. And what only Stripe's events tell of.
static void check_charge(struct json_object *charge, const char *payment_id)
{
    if (rows_with("payments", payment_id) != 1) {
        violation("charge %s is of no payment", json_get_str(charge, "id"));
        return;
    }
    int64_t told = times_told(payment_id, "payment.disputed");
    int64_t disputes = json_get_bool(charge, "disputed", false);
    if (told > disputes || (told < disputes && !world.clock_was_far)) {
        violation("payment %s has %lld disputes, of which %lld were told", payment_id, (long long)disputes,
                  (long long)told);
    }
}

// --- at the end: what was said

static void check_answer(const struct client_request *request)
{
    struct json_object *body JSON_CLEANUP = NULL;
    REQUIRE(json_parse(request->answer, strlen(request->answer), &body, NULL) == OK);
    struct json_object *data = json_get(body, "data");
    const char *id = json_get_str(data, "id");
    struct json_object *charge = NULL;
    if (text_starts_with(request->path, "/v1/merchant") || text_equal(request->method, "DELETE")) {
        return;
    }
    const char *table = text_starts_with(request->path, "/v1/refunds")          ? "refunds"
                        : text_starts_with(request->path, "/v1/payments/cards") ? "cards"
                                                                                : "payments";
    if (rows_with(table, id) != 1) {
        violation("%s %s was answered, and is gone", table, id);
    }
    if (text_equal(table, "payments")) {
        int charges = ledger_captured(id, &charge);
        if (text_equal(json_get_str(data, "status"), "completed") && charges == 0) {
            violation("payment %s was called completed, and was never charged", id);
        }
        if (text_equal(json_get_str(data, "status"), "failed") && charges > 0) {
            violation("payment %s was called failed, and was charged", id);
        }
    }
}

static void check_told(void)
{
    ROWS row = rows_of("SELECT id FROM outbox WHERE status = 'delivered'");
    while (sqlite3_step(row) == SQLITE_ROW) {
        char id[UUID_TEXT_BYTES];
        rows_id(row, 0, id);
        if (!endpoint_has(id)) {
            violation("event %s is delivered, and never came", id);
        }
    }
    rows_none("a change was not told",
              "SELECT hex(id) || ' ' || status FROM payments p WHERE p.status IN ('completed', 'failed', "
              "'refunded')"
              " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.transaction_id = p.id AND o.type ="
              " CASE p.status WHEN 'failed' THEN 'payment.failed' ELSE 'payment.completed' END)");
    rows_none(
        "a refund was not told",
        "SELECT hex(p.id) FROM payments p WHERE (SELECT count(*) FROM refunds r WHERE r.payment_id = p.id"
        " AND r.status = 'completed') > (SELECT count(*) FROM outbox o WHERE o.transaction_id = p.id"
        " AND o.type = 'payment.refunded')");
    rows_none("a completion was told twice", "SELECT hex(transaction_id) FROM outbox WHERE type = "
                                             "'payment.completed' GROUP BY 1 HAVING count(*) > 1");
    rows_none("an event is neither delivered nor dead",
              "SELECT hex(id) || ' ' || status FROM outbox WHERE status NOT IN ('delivered', 'dead')");
}

void promises_check_end(void)
{
    ledger_read();
    REQUIRE(rows_open());
    check_reservations();
    check_payments();
    ledger_each_captured(check_charge);
    for (size_t i = 0; i < client_request_count; i++) {
        if (client_requests[i]->answer != NULL) {
            check_answer(client_requests[i]);
        }
    }
    check_told();
    rows_none("an operation is still open",
              "SELECT kind || ' ' || hex(subject_id) FROM operations WHERE " OWED);
    rows_none("the database",
              "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    rows_none("the database", "SELECT \"table\" FROM pragma_foreign_key_check");
}
