// The cost of a claim does not grow with the number of waiting events: SQLite's plan for each of the
// outbox's statements, and their cost with 100,000 open events.
#include "outbox_fixture.h"
#include "statement_costs.h"

// Every statement but the one that runs once at start, in the order of the header.
static void run_every_statement(struct fixture *f)
{
    struct uuid shop = add_merchant(f, 1, true);
    statement_count = 0;
    struct outbox_queue queue;
    struct outbox_event event;
    bool has = false;
    int64_t number = 0;
    append(f, shop, id_of(8), NOW);
    append(f, shop, id_of(9), NOW);
    next_queue(f, (struct uuid){0}, &queue);
    assert_int_equal(outbox_next_parked(f->db, &shop, &queue, &has, &f->err), OK);
    assert_int_equal(outbox_first_time(f->db, &shop, &number, &f->err), OK);
    assert_true(claim(f, shop, NOW, &event));
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_RETRY, NOW, NOW}));
    assert_true(claim(f, shop, NOW, &event));
    assert_true(
        record(f, &event,
               (struct outbox_attempt){OUTBOX_DELIVERED, NOW, .status_code = 200, .endpoint_failed = true}));
    assert_true(claim(f, shop, NOW, &event));
    assert_true(record(f, &event, (struct outbox_attempt){OUTBOX_GONE, NOW, .merchant_updated_us = NOW}));
    assert_int_equal(outbox_release_merchant(f->db, &shop, NOW, &number, &f->err), OK);
    assert_int_equal(outbox_park_merchant(f->db, &shop, NOW, &number, &f->err), OK);
    assert_int_equal(outbox_expire_parked(f->db, &shop, NOW + 1, NOW, &has, &f->err), OK);
    assert_true(has);
}

static bool is_costly(const char *detail)
{
    return strstr(detail, "SCAN") != NULL || strstr(detail, "TEMP B-TREE") != NULL;
}

static void no_statement_scans_a_table_or_sorts(void **state)
{
    struct fixture *f = *state;
    spy_begin(f->db);
    run_every_statement(f);
    spy_end(f->db);
    assert_true(statement_count >= 18);
    assert_no_statement_is_costly(f->db, is_costly);
}

// The cost of polling one merchant, in steps of SQLite's machine.
static int64_t steps_of_a_look(struct fixture *f, struct uuid merchant_id)
{
    struct outbox_queue queue;
    struct outbox_event event;
    int64_t steps = 0;
    steps_begin(f->db, &steps);
    assert_true(next_queue(f, (struct uuid){0}, &queue));
    assert_true(claim(f, merchant_id, NOW, &event));
    steps_end(f->db);
    return steps;
}

static void a_poll_costs_the_same_with_100000_open_events(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_statement_scans_a_table_or_sorts),
        TEST(a_poll_costs_the_same_with_100000_open_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
