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

// An operation may stay open while the payer or the provider takes its time. One that was created while the
// clock was ahead, and that Stripe does not know, stays open until that time has come.
#define FROM_THE_FUTURE "(kind IN ('charge', 'refund') AND created_us > :now)"
#define WAITS_FOR_PAYER                                                                                      \
    "(kind = 'card_setup' AND subject_id IN (SELECT id FROM cards WHERE status = 'pending'))"
#define MUST_CLOSE                                                                                           \
    "kind NOT IN ('sync', 'refund_sync', 'events') AND NOT " FROM_THE_FUTURE " AND NOT " WAITS_FOR_PAYER

// --- at any time

// Refunds that are completed or requested never sum to more than was captured.
static void check_refund_sums(void)
{
    rows_expect_none(
        "refunds completed sum to more than was captured",
        "SELECT hex(p.id) FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.status = 'completed'"
        " GROUP BY p.id HAVING sum(r.amount_minor) > p.captured_minor");
    if (world.dashboard) {
        return;
    }
    rows_expect_none(
        "refunds sum to more than was captured",
        "SELECT hex(p.id) FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.status <> 'failed'"
        " GROUP BY p.id HAVING sum(r.amount_minor) > p.captured_minor");
}

void promises_check_now(void)
{
    bool faults_off = world.faults_off;
    world.faults_off = true; // reading must not fail
    if (rows_open()) {
        check_refund_sums();
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
    int64_t open = rows_int64("SELECT count(*) FROM operations WHERE " MUST_CLOSE " OR next_attempt_us = 0");
    open += rows_int64("SELECT count(*) FROM outbox WHERE status NOT IN ('delivered', 'dead')");
    return open == 0;
}

// --- at the end: the provider's ledger

static void check_payment(sqlite3_stmt *row)
{
    char id[UUID_TEXT_BYTES];
    rows_id(row, 0, id);
    const char *status = rows_text(row, 1);
    int64_t captured = sqlite3_column_int64(row, 2);
    int64_t refunded = sqlite3_column_int64(row, 3);
    const char *provider_ref = rows_text(row, 4);
    bool is_paid = text_equal(status, "completed") || text_equal(status, "refunded");
    struct json_object *charge = NULL;
    int charges = ledger_captured(id, &charge);
    if (charges > 1) {
        violation("payment %s was charged %d times", id, charges);
    }
    if (is_paid != (charges > 0)) {
        violation("payment %s is %s, and was charged %d times", id, status, charges);
    }
    if (charge != NULL && json_get_i64(charge, "amount_captured", -1) != captured) {
        violation("payment %s: the service has captured %lld, Stripe has not", id, (long long)captured);
    }
    // While its clock is far off the service refuses Stripe's events. Stripe repeats them for three days,
    // which is longer than the run still lasts.
    if (provider_ref != NULL && !world.clock_was_far && ledger_refunded_minor(provider_ref) != refunded) {
        violation("payment %s: the service has refunded %lld, Stripe %lld", id, (long long)refunded,
                  (long long)ledger_refunded_minor(provider_ref));
    }
    if (text_equal(status, "refunded") != (captured > 0 && refunded == captured)) {
        violation("payment %s is %s with %lld of %lld refunded", id, status, (long long)refunded,
                  (long long)captured);
    }
    if (text_equal(status, "pending") && provider_ref == NULL && sqlite3_column_int64(row, 5) == 0) {
        violation("the outcome of payment %s stays unknown", id);
    }
}

static void check_payments(void)
{
    ROWS row =
        rows_query("SELECT id, status, captured_minor, refunded_minor, provider_ref, EXISTS (SELECT 1"
                   " FROM operations WHERE subject_id = payments.id AND " FROM_THE_FUTURE ") FROM payments");
    while (sqlite3_step(row) == SQLITE_ROW) {
        check_payment(row);
    }
}

static bool has_row(const char *sql, const char *id)
{
    ROWS row = rows_of_id(sql, id);
    return sqlite3_step(row) == SQLITE_ROW;
}

static int64_t count_of(const char *sql, const char *id)
{
    ROWS row = rows_of_id(sql, id);
    REQUIRE(sqlite3_step(row) == SQLITE_ROW);
    return sqlite3_column_int64(row, 0);
}

// Every charge at Stripe has a payment here, and every dispute one event and one row.
static void check_charge(struct json_object *charge, const char *payment_id)
{
    if (!has_row("SELECT 1 FROM payments WHERE id = ?", payment_id)) {
        violation("charge %s has no payment", json_get_str(charge, "id"));
        return;
    }
    int64_t events = count_of(
        "SELECT count(*) FROM outbox WHERE transaction_id = ? AND type = 'payment.disputed'", payment_id);
    int64_t rows = count_of("SELECT count(*) FROM disputes WHERE payment_id = ?", payment_id);
    int64_t disputes = json_get_bool(charge, "disputed", false);
    if (events > disputes || (events < disputes && !world.clock_was_far)) {
        violation("payment %s has %lld disputes and %lld events about them", payment_id, (long long)disputes,
                  (long long)events);
    }
    if (rows != events) {
        violation("payment %s has %lld events about disputes and %lld rows of them", payment_id,
                  (long long)events, (long long)rows);
    }
}

// --- at the end: answers and events

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
    bool is_refund = text_starts_with(request->path, "/v1/refunds");
    bool is_card = text_starts_with(request->path, "/v1/payments/cards");
    const char *sql = is_refund ? "SELECT 1 FROM refunds WHERE id = ?"
                      : is_card ? "SELECT 1 FROM cards WHERE id = ?"
                                : "SELECT 1 FROM payments WHERE id = ?";
    if (id == NULL || !has_row(sql, id)) {
        violation("%s of %s was answered and is missing", id, request->path);
        return;
    }
    if (!is_refund && !is_card) {
        int charges = ledger_captured(id, &charge);
        if (text_equal(json_get_str(data, "status"), "completed") && charges == 0) {
            violation("payment %s was answered as completed and was never charged", id);
        }
        if (text_equal(json_get_str(data, "status"), "failed") && charges > 0) {
            violation("payment %s was answered as failed and was charged", id);
        }
    }
}

static void check_received(const char *event_id)
{
    if (!has_row("SELECT 1 FROM outbox WHERE id = ?", event_id)) {
        violation("event %s arrived and is not in the outbox", event_id);
    }
}

static void check_events(void)
{
    endpoint_each(check_received);
    ROWS row = rows_query("SELECT id FROM outbox WHERE status = 'delivered'");
    while (sqlite3_step(row) == SQLITE_ROW) {
        char id[UUID_TEXT_BYTES];
        rows_id(row, 0, id);
        if (!endpoint_has(id)) {
            violation("event %s is marked as delivered and never arrived", id);
        }
    }
    rows_expect_none(
        "a change has no event",
        "SELECT hex(id) || ' ' || status FROM payments p WHERE p.status IN ('completed', 'failed', "
        "'refunded')"
        " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.transaction_id = p.id AND o.type ="
        " CASE p.status WHEN 'failed' THEN 'payment.failed' ELSE 'payment.completed' END)");
    rows_expect_none(
        "a refund has no event",
        "SELECT hex(p.id) FROM payments p WHERE (SELECT count(*) FROM refunds r WHERE r.payment_id = p.id"
        " AND r.status = 'completed') > (SELECT count(*) FROM outbox o WHERE o.transaction_id = p.id"
        " AND o.type = 'payment.refunded')");
    rows_expect_none("a completion has two events", "SELECT hex(transaction_id) FROM outbox WHERE type = "
                                                    "'payment.completed' GROUP BY 1 HAVING count(*) > 1");
    rows_expect_none("an event is neither delivered nor dead",
                     "SELECT hex(id) || ' ' || status FROM outbox WHERE status NOT IN ('delivered', 'dead')");
}

void promises_check_end(void)
{
    ledger_read();
    REQUIRE(rows_open());
    check_refund_sums();
    check_payments();
    ledger_each_captured(check_charge);
    for (size_t i = 0; i < client_request_count; i++) {
        if (client_requests[i]->answer != NULL) {
            check_answer(client_requests[i]);
        }
    }
    check_events();
    rows_expect_none("an operation is still open",
                     "SELECT kind || ' ' || hex(subject_id) FROM operations WHERE " MUST_CLOSE);
    rows_expect_none("the database",
                     "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    rows_expect_none("the database", "SELECT \"table\" FROM pragma_foreign_key_check");
}
