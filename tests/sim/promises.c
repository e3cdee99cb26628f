// See promises.h.
#include "promises.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "books.h"
#include "endpoints.h"
#include "orders.h"
#include "service.h"
#include "world.h"

// What may stay open is what is asked after for as long as the payer or the provider takes.
// What was made by a clock that was ahead, and is not found at Stripe, stays open until that time has come.
#define OF_THE_FUTURE "(kind IN ('charge', 'refund') AND created_us > :now)"
#define OWED "kind NOT IN ('sync', 'refund_sync', 'events') AND NOT " OF_THE_FUTURE

static sqlite3 *database;

static void close_statement(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}
#define STATEMENT __attribute__((cleanup(close_statement))) sqlite3_stmt *

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) {
        printf("%s\n%s\n", sqlite3_errmsg(database), sql);
        REQUIRE(false);
    }
    int now = sqlite3_bind_parameter_index(statement, ":now");
    REQUIRE(now == 0 || sqlite3_bind_int64(statement, now, service_wall_us()) == SQLITE_OK);
    return statement;
}

static void id_text(sqlite3_stmt *statement, char out[UUID_TEXT_BYTES])
{
    struct uuid id = {{0}};
    REQUIRE(sqlite3_column_bytes(statement, 0) == sizeof(id.bytes));
    memcpy(id.bytes, sqlite3_column_blob(statement, 0), sizeof(id.bytes));
    uuid_format(&id, out);
}

static const char *text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

// Runs it, and calls each row with what it says a violation of: its columns as text.
static void none_of(const char *what, const char *sql)
{
    STATEMENT statement = prepare(sql);
    int rc = sqlite3_step(statement);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
        violation("%s: %s", what, text(statement, 0));
    }
    if (rc != SQLITE_DONE) {
        violation("%s: %s", what, sqlite3_errmsg(database));
    }
}

static int64_t number_of(const char *sql)
{
    STATEMENT statement = prepare(sql);
    return sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
}

// One connection for each life of the service: a process that dies takes every connection with it.
static bool open_database(void)
{
    static int life;
    if (!service.up || life == service.life) {
        return service.up;
    }
    const char *path = service_database();
    life = service.life;
    REQUIRE(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK);
    return true;
}

// --- at any moment

// What is completed or asked for may never sum to more than was captured.
static void check_reservations(void)
{
    none_of(
        "refunds completed sum to more than was captured",
        "SELECT hex(p.id) FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.status = 'completed'"
        " GROUP BY p.id HAVING sum(r.amount_minor) > p.captured_minor");
    if (world.dashboard) {
        return;
    }
    none_of("refunds sum to more than was captured",
            "SELECT hex(p.id) FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.status <> 'failed'"
            " GROUP BY p.id HAVING sum(r.amount_minor) > p.captured_minor");
}

void promises_check_now(void)
{
    bool calm = world.calm;
    world.calm = true; // to look does no harm
    if (open_database()) {
        check_reservations();
    }
    world.calm = calm;
}

void promises_make_due(void)
{
    REQUIRE(open_database());
    REQUIRE(sqlite3_exec(database, "UPDATE operations SET next_attempt_us = 0", NULL, NULL, NULL) ==
            SQLITE_OK);
}

bool promises_at_rest(void)
{
    if (orders_open() || !open_database()) {
        return false;
    }
    int64_t open = number_of("SELECT count(*) FROM operations WHERE " OWED " OR next_attempt_us = 0");
    open += number_of("SELECT count(*) FROM outbox WHERE status NOT IN ('delivered', 'dead')");
    return open == 0;
}

// --- at the end: the provider's books

static void check_payment(sqlite3_stmt *row)
{
    char id[UUID_TEXT_BYTES];
    id_text(row, id);
    const char *status = text(row, 1);
    int64_t captured = sqlite3_column_int64(row, 2);
    int64_t refunded = sqlite3_column_int64(row, 3);
    const char *ref = text(row, 4);
    bool made = text_equal(status, "completed") || text_equal(status, "refunded");
    struct json_object *charge = NULL;
    int charges = books_captured(id, &charge);
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
    if (ref != NULL && !world.clock_was_far && books_paid_back(ref) != refunded) {
        violation("payment %s: %lld refunded here, %lld at the provider", id, (long long)refunded,
                  (long long)books_paid_back(ref));
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
    STATEMENT row =
        prepare("SELECT id, status, captured_minor, refunded_minor, provider_ref, EXISTS (SELECT 1"
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
    return number_of(sql);
}

static int64_t times_told(const char *payment_id, const char *type)
{
    STATEMENT statement = prepare("SELECT count(*) FROM outbox WHERE transaction_id = ? AND type = ?");
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

static void check_answer(const struct order *order)
{
    struct json_object *body JSON_CLEANUP = NULL;
    REQUIRE(json_parse(order->answer, strlen(order->answer), &body, NULL) == OK);
    struct json_object *data = json_get(body, "data");
    const char *id = json_get_str(data, "id");
    struct json_object *charge = NULL;
    if (text_starts_with(order->path, "/v1/merchant")) {
        return;
    }
    const char *table = text_starts_with(order->path, "/v1/refunds")          ? "refunds"
                        : text_starts_with(order->path, "/v1/payments/cards") ? "cards"
                                                                              : "payments";
    if (rows_with(table, id) != 1) {
        violation("%s %s was answered, and is gone", table, id);
    }
    if (text_equal(table, "payments")) {
        int charges = books_captured(id, &charge);
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
    STATEMENT row = prepare("SELECT id FROM outbox WHERE status = 'delivered'");
    while (sqlite3_step(row) == SQLITE_ROW) {
        char id[UUID_TEXT_BYTES];
        id_text(row, id);
        if (!endpoint_has(id)) {
            violation("event %s is delivered, and never came", id);
        }
    }
    none_of("a change was not told",
            "SELECT hex(id) || ' ' || status FROM payments p WHERE p.status IN ('completed', 'failed', "
            "'refunded')"
            " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.transaction_id = p.id AND o.type ="
            " CASE p.status WHEN 'failed' THEN 'payment.failed' ELSE 'payment.completed' END)");
    none_of("a refund was not told",
            "SELECT hex(p.id) FROM payments p WHERE (SELECT count(*) FROM refunds r WHERE r.payment_id = p.id"
            " AND r.status = 'completed') > (SELECT count(*) FROM outbox o WHERE o.transaction_id = p.id"
            " AND o.type = 'payment.refunded')");
    none_of("a completion was told twice", "SELECT hex(transaction_id) FROM outbox WHERE type = "
                                           "'payment.completed' GROUP BY 1 HAVING count(*) > 1");
    none_of("an event is neither delivered nor dead",
            "SELECT hex(id) || ' ' || status FROM outbox WHERE status NOT IN ('delivered', 'dead')");
}

void promises_check_end(void)
{
    books_open();
    REQUIRE(open_database());
    check_reservations();
    check_payments();
    books_each_captured(check_charge);
    for (size_t i = 0; i < order_count; i++) {
        if (orders[i]->answer != NULL) {
            check_answer(orders[i]);
        }
    }
    check_told();
    none_of("an operation is still open",
            "SELECT kind || ' ' || hex(subject_id) FROM operations WHERE " OWED);
    none_of("the database",
            "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    none_of("the database", "SELECT \"table\" FROM pragma_foreign_key_check");
}
