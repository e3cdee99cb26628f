// The outbox's queries on SQLite: what is due when, who waits for whom, and that a claim's cost does not grow
// with what anybody has waiting.
#include "scratch.h"

#include "store/driver.h"
#include "store/merchants.h"
#include "store/migrate.h"
#include "store/outbox.h"
#include "store/sqlite.h"

#define STATEMENTS_MAX 32
#define NOW INT64_C(1700000000000000)
#define LEASE 45000000

struct fixture {
    struct scratch scratch;
    struct db *db;
    struct err err;
    struct arena arena;
    uint8_t next_id;
};

// What the queries said to the database, for the test that asks how it would go about it.
static const char *statements[STATEMENTS_MAX];
static size_t statement_count;

static enum errc spy_query(struct db *db, struct db_rows *rows, const char *sql,
                           const struct db_value *values, size_t count, struct err *err)
{
    assert_true(statement_count < STATEMENTS_MAX);
    statements[statement_count++] = sql;
    return sqlite_driver.query(db, rows, sql, values, count, err);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_make(&f->scratch);
    assert_int_equal(sqlite_driver.open(f->scratch.database, true, &f->db, &f->err), OK);
    assert_int_equal(migrate(f->db, &f->err), OK);
    assert_int_equal(f->db->driver->begin(f->db, true, &f->err), OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sqlite_driver.rollback(f->db);
    sqlite_driver.close(f->db);
    arena_release(&f->arena);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static struct uuid id_of(uint8_t number)
{
    return (struct uuid){.bytes = {0x01, [15] = number}};
}

static struct uuid add_merchant(struct fixture *f, uint8_t number, bool has_url)
{
    struct merchant merchant = {
        .id = id_of(number),
        .name = "shop",
        .is_active = true,
        .webhook_url = has_url ? "https://shop.example/hooks" : NULL,
        .webhook_secret = (const uint8_t *)"sealed",
        .webhook_secret_bytes = 6,
        .created_us = NOW,
        .updated_us = NOW,
    };
    assert_int_equal(merchant_insert(f->db, &merchant, &f->err), OK);
    return merchant.id;
}

static struct uuid append(struct fixture *f, struct uuid merchant_id, struct uuid transaction_id,
                          int64_t at_us)
{
    struct outbox_event event = {
        .id = {.bytes = {0x02, [15] = ++f->next_id}},
        .merchant_id = merchant_id,
        .transaction_id = transaction_id,
        .type = "payment.completed",
        .body = "{}",
        .created_us = at_us,
    };
    assert_int_equal(outbox_append(f->db, &event, &f->err), OK);
    return event.id;
}

struct row {
    const char *status;
    int64_t attempts;
    int64_t next_attempt_us;
    const char *last_error;
};

static struct row row_of(struct fixture *f, struct uuid id)
{
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(
        db_query(f->db, &rows, &f->err,
                 "SELECT status, attempts, next_attempt_us, last_error FROM outbox WHERE id = $1",
                 DB_ID(&id)),
        OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_true(has);
    return (struct row){db_text(&rows, 0, &f->arena), db_i64(&rows, 1), db_i64(&rows, 2),
                        db_text(&rows, 3, &f->arena)};
}

static void assert_row(struct fixture *f, struct uuid id, const char *status, int64_t next_attempt_us)
{
    struct row row = row_of(f, id);
    assert_string_equal(row.status, status);
    assert_int_equal(row.next_attempt_us, next_attempt_us);
}

static bool claim(struct fixture *f, struct uuid merchant_id, int64_t now_us, struct outbox_event *event)
{
    bool has = false;
    assert_int_equal(
        outbox_claim(f->db, &merchant_id, now_us, now_us + LEASE, &f->arena, event, &has, &f->err), OK);
    return has;
}

static struct outbox_event must_claim(struct fixture *f, struct uuid merchant_id, int64_t now_us,
                                      struct uuid expected)
{
    struct outbox_event event;
    assert_true(claim(f, merchant_id, now_us, &event));
    assert_memory_equal(&event.id, &expected, sizeof(expected));
    return event;
}

static bool record(struct fixture *f, const struct outbox_event *event, struct outbox_attempt attempt)
{
    bool recorded = false;
    assert_int_equal(outbox_record(f->db, event, &attempt, &recorded, &f->err), OK);
    return recorded;
}

static void a_new_event_is_due_at_once_and_claimed_once(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid id = append(f, shop, id_of(9), NOW);
    struct outbox_event event;
    assert_false(claim(f, shop, NOW - 1, &event));
    event = must_claim(f, shop, NOW, id);
    assert_string_equal(event.body, "{}");
    assert_string_equal(event.type, "payment.completed");
    assert_row(f, id, "processing", NOW + LEASE);
    assert_false(claim(f, shop, NOW + LEASE - 1, &event));
    must_claim(f, shop, NOW + LEASE, id);
}

static void the_longest_due_event_is_claimed_first(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid late = append(f, shop, id_of(7), NOW + 2);
    struct uuid early = append(f, shop, id_of(8), NOW + 1);
    must_claim(f, shop, NOW + 5, early);
    must_claim(f, shop, NOW + 5, late);
}

static void an_event_stands_behind_an_open_one_of_its_transaction(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid first = append(f, shop, id_of(9), NOW);
    struct uuid second = append(f, shop, id_of(9), NOW);
    struct uuid third = append(f, shop, id_of(9), NOW);
    struct outbox_event event = must_claim(f, shop, NOW, first);
    struct outbox_event none;
    assert_false(claim(f, shop, NOW, &none));
    assert_row(f, second, "pending", OUTBOX_BEHIND);

    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_RETRY, NOW, .retry_us = NOW + 5}));
    assert_row(f, first, "retrying", NOW + 5);
    assert_row(f, second, "pending", OUTBOX_BEHIND);

    event = must_claim(f, shop, NOW + 5, first);
    assert_int_equal(event.attempts, 1);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_DELIVERED, NOW + 6, .status_code = 200}));
    assert_row(f, first, "delivered", 0);
    assert_row(f, second, "pending", NOW + 6);
    assert_row(f, third, "pending", OUTBOX_BEHIND);

    event = must_claim(f, shop, NOW + 6, second);
    assert_true(
        record(f, &event, (struct outbox_attempt){OUTBOX_DEAD, NOW + 7, .status_code = 500, .error = "no"}));
    assert_row(f, second, "dead", 0);
    assert_string_equal(row_of(f, second).last_error, "no");
    assert_row(f, third, "pending", NOW + 7);
}

static void events_of_different_transactions_or_of_none_stand_behind_nothing(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    const struct uuid none = {0};
    struct uuid ids[] = {append(f, shop, id_of(7), NOW), append(f, shop, id_of(8), NOW),
                         append(f, shop, none, NOW), append(f, shop, none, NOW)};
    for (size_t i = 0; i < 4; i++) {
        assert_row(f, ids[i], "pending", NOW);
    }
    struct outbox_event event = must_claim(f, shop, NOW, ids[0]);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_DELIVERED, NOW, .status_code = 200}));
}

static void an_outcome_that_comes_after_its_lease_was_lost_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid first = append(f, shop, id_of(9), NOW);
    struct uuid second = append(f, shop, id_of(9), NOW);
    struct outbox_event lost = must_claim(f, shop, NOW, first);
    must_claim(f, shop, NOW + LEASE, first);
    assert_false(record(f, &lost, (struct outbox_attempt){OUTBOX_DELIVERED, NOW, .status_code = 200}));
    assert_row(f, first, "processing", NOW + LEASE + LEASE);
    assert_row(f, second, "pending", OUTBOX_BEHIND);
}

static void without_an_endpoint_an_event_waits_until_there_is_one(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, false);
    struct uuid id = append(f, shop, id_of(9), NOW);
    struct outbox_event event;
    assert_row(f, id, "pending", OUTBOX_WAITING);
    assert_false(claim(f, shop, INT64_MAX - 2, &event));
    int64_t moved = 0;
    assert_int_equal(outbox_release_merchant(f->db, &shop, NOW + 9, &moved, &f->err), OK);
    assert_int_equal(moved, 1);
    must_claim(f, shop, NOW + 9, id);
}

static void a_410_makes_all_of_a_merchants_events_wait_but_those_being_sent(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid other_shop = add_merchant(f, 2, true);
    struct uuid gone = append(f, shop, id_of(5), NOW);
    struct uuid retrying = append(f, shop, id_of(6), NOW + 1);
    struct uuid sent = append(f, shop, id_of(7), NOW + 2);
    struct uuid due = append(f, shop, id_of(8), NOW + 3);
    struct uuid behind = append(f, shop, id_of(8), NOW + 3);
    struct uuid other = append(f, other_shop, id_of(9), NOW);
    struct outbox_event gone_event = must_claim(f, shop, NOW, gone);
    struct outbox_event event = must_claim(f, shop, NOW + 1, retrying);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_RETRY, NOW + 1, .retry_us = NOW + 500}));
    event = must_claim(f, shop, NOW + 2, sent);

    const struct outbox_attempt attempt = {OUTBOX_GONE, NOW + 4, .status_code = 410,
                                           .merchant_updated_us = NOW};
    assert_true(record(f, &gone_event, attempt));
    assert_row(f, gone, "pending", OUTBOX_WAITING);
    assert_int_equal(row_of(f, gone).attempts, 1);
    assert_row(f, retrying, "pending", OUTBOX_WAITING);
    assert_row(f, due, "pending", OUTBOX_WAITING);
    assert_row(f, sent, "processing", NOW + 2 + LEASE);
    assert_row(f, behind, "pending", OUTBOX_BEHIND);
    assert_row(f, other, "pending", NOW);
    assert_row(f, append(f, shop, id_of(10), NOW + 5), "pending", OUTBOX_WAITING);

    struct merchant merchant;
    assert_int_equal(merchant_get(f->db, &shop, &f->arena, &merchant, &f->err), OK);
    assert_true(merchant.webhook_stopped);
}

static void a_410_from_an_old_endpoint_does_not_stop_the_one_set_since(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct outbox_event event = must_claim(f, shop, NOW, append(f, shop, id_of(9), NOW));
    struct uuid other = append(f, shop, id_of(8), NOW);
    struct merchant merchant;
    assert_int_equal(merchant_get(f->db, &shop, &f->arena, &merchant, &f->err), OK);
    merchant.webhook_url = "https://shop.example/new";
    merchant.updated_us = NOW + 1;
    assert_int_equal(merchant_update_webhook(f->db, &merchant, &f->err), OK);

    const struct outbox_attempt attempt = {OUTBOX_GONE, NOW + 2, .status_code = 410,
                                           .merchant_updated_us = NOW};
    assert_true(record(f, &event, attempt));
    assert_int_equal(merchant_get(f->db, &shop, &f->arena, &merchant, &f->err), OK);
    assert_false(merchant.webhook_stopped);
    assert_row(f, other, "pending", NOW);
}

static void waiting_events_die_of_age_and_free_the_next(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, false);
    struct uuid first = append(f, shop, id_of(9), NOW);
    struct uuid second = append(f, shop, id_of(9), NOW + 100);
    struct uuid third = append(f, shop, id_of(8), NOW + 100);
    bool has = false;
    assert_int_equal(outbox_bury_waiting(f->db, &shop, NOW, NOW + 50, &has, &f->err), OK);
    assert_false(has);
    assert_int_equal(outbox_bury_waiting(f->db, &shop, NOW + 1, NOW + 50, &has, &f->err), OK);
    assert_true(has);
    assert_row(f, first, "dead", 0);
    assert_row(f, second, "pending", NOW + 50);
    assert_row(f, third, "pending", OUTBOX_WAITING);
    assert_int_equal(outbox_bury_waiting(f->db, &shop, NOW + 1, NOW + 50, &has, &f->err), OK);
    assert_false(has);
}

static void all_leases_end_at_a_start(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, true);
    struct uuid fresh = append(f, shop, id_of(7), NOW);
    struct uuid retried = append(f, shop, id_of(8), NOW + 1);
    struct uuid delivered = append(f, shop, id_of(9), NOW + 2);
    must_claim(f, shop, NOW, fresh);
    struct outbox_event event = must_claim(f, shop, NOW + 1, retried);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_RETRY, NOW + 1, .retry_us = NOW + 1}));
    must_claim(f, shop, NOW + 1, retried);
    event = must_claim(f, shop, NOW + 2, delivered);
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_DELIVERED, NOW + 2, .status_code = 200}));
    int64_t count = 0;
    assert_int_equal(outbox_release_leases(f->db, NOW + 5, &count, &f->err), OK);
    assert_int_equal(count, 2);
    assert_row(f, fresh, "pending", NOW + 5);
    assert_row(f, retried, "retrying", NOW + 5);
    assert_row(f, delivered, "delivered", 0);
}

static bool next_lane(struct fixture *f, struct uuid after, struct outbox_lane *lane)
{
    bool has = false;
    assert_int_equal(outbox_next_lane(f->db, &after, lane, &has, &f->err), OK);
    return has;
}

static void merchants_are_walked_by_id_with_their_first_time(void **state)
{
    struct fixture *f = *state;
    struct uuid second = add_merchant(f, 2, true);
    struct uuid without = add_merchant(f, 3, false);
    struct uuid first = add_merchant(f, 1, true);
    add_merchant(f, 4, true); // has no events
    append(f, second, id_of(9), NOW + 7);
    append(f, second, id_of(8), NOW + 5);
    append(f, without, id_of(10), NOW);
    append(f, first, id_of(11), NOW + 9);
    struct outbox_lane lane;
    assert_true(next_lane(f, (struct uuid){0}, &lane));
    assert_memory_equal(&lane.merchant_id, &first, sizeof(first));
    assert_true(next_lane(f, first, &lane));
    assert_memory_equal(&lane.merchant_id, &second, sizeof(second));
    assert_int_equal(lane.first_us, NOW + 5);
    assert_true(lane.has_endpoint);
    assert_false(next_lane(f, second, &lane));

    bool has = false;
    assert_int_equal(outbox_next_waiting(f->db, &(struct uuid){0}, &lane, &has, &f->err), OK);
    assert_true(has);
    assert_memory_equal(&lane.merchant_id, &without, sizeof(without));
    assert_false(lane.has_endpoint);
    assert_int_equal(outbox_next_waiting(f->db, &without, &lane, &has, &f->err), OK);
    assert_false(has);
}

// Every statement but the one that runs once at start, in the order of the header.
static void run_every_statement(struct fixture *f)
{
    struct uuid shop = add_merchant(f, 1, true);
    statement_count = 0;
    struct outbox_lane lane;
    struct outbox_event event;
    bool has = false;
    int64_t number = 0;
    append(f, shop, id_of(8), NOW);
    append(f, shop, id_of(9), NOW);
    next_lane(f, (struct uuid){0}, &lane);
    assert_int_equal(outbox_next_waiting(f->db, &shop, &lane, &has, &f->err), OK);
    assert_int_equal(outbox_first_time(f->db, &shop, &number, &f->err), OK);
    assert_true(claim(f, shop, NOW, &event));
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_DELIVERED, NOW, .status_code = 200}));
    assert_true(claim(f, shop, NOW, &event));
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_GONE, NOW, .merchant_updated_us = NOW}));
    assert_int_equal(outbox_release_merchant(f->db, &shop, NOW, &number, &f->err), OK);
    assert_int_equal(outbox_park_merchant(f->db, &shop, NOW, &number, &f->err), OK);
    assert_int_equal(outbox_bury_waiting(f->db, &shop, NOW + 1, NOW, &has, &f->err), OK);
    assert_true(has);
}

static void assert_searches(sqlite3 *handle, const char *sql)
{
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(handle, explain, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(stmt, 3);
        if (strstr(detail, "SCAN") || strstr(detail, "TEMP B-TREE")) {
            fail_msg("%s: %s", detail, sql);
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_free(explain);
}

static void no_statement_scans_a_table_or_sorts(void **state)
{
    struct fixture *f = *state;
    struct db_driver spy = sqlite_driver;
    spy.query = spy_query;
    f->db->driver = &spy;
    run_every_statement(f);
    f->db->driver = &sqlite_driver;
    assert_true(statement_count >= 14);
    for (size_t i = 0; i < statement_count; i++) {
        assert_searches(((struct sqlite *)f->db)->handle, statements[i]);
    }
}

static int count_step(void *context)
{
    ++*(int64_t *)context;
    return 0;
}

// What a look at one merchant costs, in steps of SQLite's machine.
static int64_t steps_of_a_look(struct fixture *f, struct uuid merchant_id)
{
    sqlite3 *handle = ((struct sqlite *)f->db)->handle;
    struct outbox_lane lane;
    struct outbox_event event;
    int64_t steps = 0;
    sqlite3_progress_handler(handle, 1, count_step, &steps);
    assert_true(next_lane(f, (struct uuid){0}, &lane));
    assert_true(claim(f, merchant_id, NOW, &event));
    sqlite3_progress_handler(handle, 0, NULL, NULL);
    return steps;
}

static void a_look_costs_the_same_before_100000_open_events(void **state)
{
    struct fixture *f = *state;
    struct uuid busy = add_merchant(f, 1, true);
    struct uuid quiet = add_merchant(f, 2, true);
    append(f, busy, (struct uuid){0}, NOW);
    append(f, quiet, (struct uuid){0}, NOW);
    int64_t steps_before = steps_of_a_look(f, busy);
    assert_int_equal(
        db_run(
            f->db, NULL, &f->err,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO "
            "outbox"
            " (id, merchant_id, livemode, transaction_id, type, body, status, attempts, next_attempt_us, "
            "created_us)"
            " SELECT CAST(printf('%016d', i) AS BLOB), $1, 0, NULL, 't', '{}', 'pending', 0, $2, $2 FROM n",
            DB_ID(&busy), DB_I64(NOW - 1)),
        OK);
    assert_in_range(steps_of_a_look(f, busy), steps_before / 2, steps_before * 2);
    assert_in_range(steps_of_a_look(f, quiet), steps_before / 2, steps_before * 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_event_is_due_at_once_and_claimed_once),
        TEST(the_longest_due_event_is_claimed_first),
        TEST(an_event_stands_behind_an_open_one_of_its_transaction),
        TEST(events_of_different_transactions_or_of_none_stand_behind_nothing),
        TEST(an_outcome_that_comes_after_its_lease_was_lost_writes_nothing),
        TEST(without_an_endpoint_an_event_waits_until_there_is_one),
        TEST(a_410_makes_all_of_a_merchants_events_wait_but_those_being_sent),
        TEST(a_410_from_an_old_endpoint_does_not_stop_the_one_set_since),
        TEST(waiting_events_die_of_age_and_free_the_next),
        TEST(all_leases_end_at_a_start),
        TEST(merchants_are_walked_by_id_with_their_first_time),
        TEST(no_statement_scans_a_table_or_sorts),
        TEST(a_look_costs_the_same_before_100000_open_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
