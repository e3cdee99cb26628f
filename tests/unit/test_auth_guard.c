// Authentication as audit hears of it, and addresses that keep failing, over minutes.
#include "fake_loop.h"
#include "scratch.h"

#include "api/auth_guard.h"
#include "base/timefmt.h"

#define START_US (INT64_C(1700000000) * US_PER_S)

struct fixture {
    struct scratch scratch;
    struct fake_loop loop;
    struct store *store;
    struct keyring keyring;
    struct auth_guard *guard;
    struct address client;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err err = {0};
    scratch_make(&f->scratch);
    fake_loop_init(&f->loop, START_US);
    // No reader threads: jobs run in this thread.
    const struct store_options options = {.database = f->scratch.database, .queue_max = 10, .batch_max = 10};
    assert_int_equal(store_open(&f->loop.base, &options, &f->store, &err), OK);
    f->guard = auth_guard_open(&f->loop.base, f->store, &f->keyring);
    assert_true(address_parse("192.0.2.1", &f->client));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    auth_guard_free(f->guard);
    store_close(f->store);
    fake_loop_run_tasks(&f->loop);
    store_free(f->store);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static enum errc count_rows(struct db *db, void *context, struct err *err)
{
    int64_t *sums = context;
    DB_ROWS(rows);
    bool has = false;
    enum errc rc =
        db_query(db, &rows, err,
                 "SELECT count(*), coalesce(sum(metadata ->> '$.count'), 0), coalesce(max(created_us), 0)"
                 " FROM audit_log");
    rc = rc == OK ? db_next(&rows, &has, err) : rc;
    for (int i = 0; rc == OK && i < 3; i++) {
        sums[i] = db_i64(&rows, i);
    }
    return rc;
}

// How many entries there are, of how many events together, and when the last of them was written.
static void assert_written(struct fixture *f, int64_t entries, int64_t events, int64_t last_us)
{
    int64_t sums[3] = {0};
    struct err err = {0};
    assert_int_equal(store_run_once(f->scratch.database, count_rows, sums, &err), OK);
    assert_int_equal(sums[0], entries);
    assert_int_equal(sums[1], events);
    assert_int_equal(sums[2], last_us);
}

static void pass_s(struct fixture *f, int64_t seconds)
{
    fake_loop_run_for(&f->loop, seconds * US_PER_S);
}

static void events_are_counted_and_written_once_a_minute(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1000; i++) {
        auth_guard_count(f->guard, "auth.failed", &f->client, NULL, "");
        auth_guard_count(f->guard, "auth.success", &f->client, NULL, "sk_live_aaaa");
    }
    pass_s(f, 59);
    assert_written(f, 0, 0, 0);
    pass_s(f, 1);
    assert_written(f, 2, 2000, START_US + 60 * US_PER_S);
    pass_s(f, 10);
    auth_guard_count(f->guard, "auth.failed", &f->client, NULL, "");
    pass_s(f, 49);
    assert_written(f, 2, 2000, START_US + 60 * US_PER_S);
    pass_s(f, 1);
    assert_written(f, 3, 2001, START_US + 120 * US_PER_S);
    pass_s(f, 600);
    assert_written(f, 3, 2001, START_US + 120 * US_PER_S); // nothing happened
}

static void an_address_may_fail_ten_times_in_five_minutes(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(auth_guard_failed(f->guard, &f->client), 0);
        pass_s(f, 10);
    }
    int64_t wait_s = auth_guard_failed(f->guard, &f->client);
    assert_in_range(wait_s, 200, 201); // the first of the ten was 100 s ago
    struct address other;
    assert_true(address_parse("192.0.2.2", &other));
    assert_int_equal(auth_guard_failed(f->guard, &other), 0);
    pass_s(f, wait_s);
    assert_int_equal(auth_guard_failed(f->guard, &f->client), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_are_counted_and_written_once_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_may_fail_ten_times_in_five_minutes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
