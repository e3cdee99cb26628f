// See promises.h.
#include "promises.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "endpoints.h"
#include "orders.h"
#include "service.h"
#include "stripe_side.h"
#include "world.h"

// What may stay open is what is asked after for as long as the payer or the provider takes; and a refund that
// was under way when the clock was set, which is only looked for until the provider has surely forgotten its
// key: a day is longer than a run.
#define OWED "kind NOT IN ('sync', 'refund_sync', 'events') AND NOT (kind = 'refund' AND look_up)"

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
    while (sqlite3_step(statement) == SQLITE_ROW) {
        violation("%s: %s", what, text(statement, 0));
    }
}

static int64_t number_of(const char *sql)
{
    STATEMENT statement = prepare(sql);
    return sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
}

// Opened for each look: a process that dies takes every connection with it.
static bool open_database(void)
{
    const char *path = service_database();
    bool opened =
        sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;
    opened = opened && sqlite3_exec(database, "SELECT count(*) FROM payments", NULL, NULL, NULL) == SQLITE_OK;
    if (!opened) {
        sqlite3_close(database);
    }
    return opened;
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
        sqlite3_close(database);
    }
    world.calm = calm;
}

void promises_make_due(void)
{
    REQUIRE(open_database());
    REQUIRE(sqlite3_exec(database, "UPDATE operations SET next_attempt_us = 0", NULL, NULL, NULL) ==
            SQLITE_OK);
    sqlite3_close(database);
}

bool promises_at_rest(void)
{
    if (!service.up || orders_open() || !open_database()) {
        return false;
    }
    int64_t open = number_of("SELECT count(*) FROM operations WHERE " OWED " OR next_attempt_us = 0");
    open += number_of("SELECT count(*) FROM outbox WHERE status NOT IN ('delivered', 'dead')");
    sqlite3_close(database);
    return open == 0;
}

// --- at the end: the provider's books

struct books {
    struct json_object *charges;
    struct json_object *refunds;
};

static bool is_captured(struct json_object *charge)
{
    return text_equal(json_get_str(charge, "status"), "succeeded") &&
           json_get_bool(charge, "captured", false);
}

// The captured charge of a payment, and how many there are.
static struct json_object *captured_charge(const struct books *books, const char *payment_id, int *count)
{
    struct json_object *found = NULL;
    *count = 0;
    for (size_t i = 0; i < json_object_array_length(books->charges); i++) {
        struct json_object *charge = json_object_array_get_idx(books->charges, i);
        if (is_captured(charge) &&
            text_equal(json_get_str(json_get(charge, "metadata"), "payment_id"), payment_id)) {
            found = charge;
            (*count)++;
        }
    }
    return found;
}

// What was paid back of an intent. What an authorisation let go of is a refund too, but no money moved.
static int64_t paid_back(const struct books *books, const char *intent_id)
{
    int64_t sum = 0;
    for (size_t i = 0; i < json_object_array_length(books->refunds); i++) {
        struct json_object *refund = json_object_array_get_idx(books->refunds, i);
        bool moved = json_get(refund, "balance_transaction") != NULL;
        if (moved && text_equal(json_get_str(refund, "payment_intent"), intent_id) &&
            text_equal(json_get_str(refund, "status"), "succeeded")) {
            sum += json_get_i64(refund, "amount", 0);
        }
    }
    return sum;
}

static void check_payment(const struct books *books, sqlite3_stmt *row)
{
    char id[UUID_TEXT_BYTES];
    id_text(row, id);
    const char *status = text(row, 1);
    int64_t captured = sqlite3_column_int64(row, 2);
    int64_t refunded = sqlite3_column_int64(row, 3);
    const char *ref = text(row, 4);
    bool made = text_equal(status, "completed") || text_equal(status, "refunded");
    int charges = 0;
    struct json_object *charge = captured_charge(books, id, &charges);
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
    if (ref != NULL && !world.clock_was_far && paid_back(books, ref) != refunded) {
        violation("payment %s: %lld refunded here, %lld at the provider", id, (long long)refunded,
                  (long long)paid_back(books, ref));
    }
    if (text_equal(status, "refunded") != (captured > 0 && refunded == captured)) {
        violation("payment %s is %s with %lld of %lld refunded", id, status, (long long)refunded,
                  (long long)captured);
    }
    if (text_equal(status, "pending") && ref == NULL) {
        violation("what became of payment %s is never known", id);
    }
}

static void check_payments(const struct books *books)
{
    STATEMENT row = prepare("SELECT id, status, captured_minor, refunded_minor, provider_ref FROM payments");
    while (sqlite3_step(row) == SQLITE_ROW) {
        check_payment(books, row);
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

// A charge of nobody's: its payment is not in the books.
static void check_charges(const struct books *books)
{
    for (size_t i = 0; i < json_object_array_length(books->charges); i++) {
        struct json_object *charge = json_object_array_get_idx(books->charges, i);
        const char *payment_id = json_get_str(json_get(charge, "metadata"), "payment_id");
        if (is_captured(charge) && rows_with("payments", payment_id) != 1) {
            violation("charge %s is of no payment", json_get_str(charge, "id"));
        }
    }
}

// --- at the end: what was said

static void check_answer(const struct books *books, const struct order *order)
{
    struct json_object *body JSON_CLEANUP = NULL;
    REQUIRE(json_parse(order->answer, strlen(order->answer), &body, NULL) == OK);
    struct json_object *data = json_get(body, "data");
    const char *id = json_get_str(data, "id");
    int charges = 0;
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
        (void)captured_charge(books, id, &charges);
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
    struct json_object *ledger JSON_CLEANUP = stripe_side_ledger();
    struct books books = {json_get(ledger, "charges"), json_get(ledger, "refunds")};
    REQUIRE(open_database());
    check_reservations();
    check_payments(&books);
    check_charges(&books);
    for (size_t i = 0; i < order_count; i++) {
        if (orders[i]->answer != NULL) {
            check_answer(&books, orders[i]);
        }
    }
    check_told();
    none_of("an operation is still open",
            "SELECT kind || ' ' || hex(subject_id) FROM operations WHERE " OWED);
    none_of("the database",
            "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    none_of("the database", "SELECT \"table\" FROM pragma_foreign_key_check");
    sqlite3_close(database);
}
