// How authentication is audited, and addresses that keep failing, over minutes.
#include "database.h"
#include "store_in_thread.h"

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
    scratch_make(&f->scratch);
    fake_loop_init(&f->loop, START_US);
    f->store = store_in_thread(&f->loop, &f->scratch, NULL);
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
    (void)err;
    int64_t *sums = context;
    sums[0] = database_number(db, "SELECT count(*) FROM audit_log");
    sums[1] = database_number(db, "SELECT coalesce(sum(metadata ->> '$.count'), 0) FROM audit_log");
    sums[2] = database_number(db, "SELECT coalesce(max(created_us), 0) FROM audit_log");
    return OK;
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

static struct address nth(unsigned n)
{
    struct address address;
    char text[ADDRESS_TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "2001:db8:%x:%x::1", n >> 16, n & 0xffff);
    assert_true(address_parse(text, &address));
    return address;
}

static void count_nth(struct fixture *f, unsigned n, const struct uuid *merchant_id)
{
    const struct address address = nth(n);
    auth_guard_count(f->guard, "auth.failed", &address, merchant_id,
                     merchant_id != NULL ? "sk_live_aaaa" : "");
}

static enum errc read_actor(struct db *db, void *context, struct err *err)
{
    static struct arena arena;
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_query(db, &rows, err, "SELECT actor_ip FROM audit_log");
    rc = rc == OK ? db_next(&rows, &has, err) : rc;
    assert_true(has);
    *(const char **)context = db_text(&rows, 0, &arena);
    return rc;
}

static void an_ipv6_subscriber_is_one_address(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 600; i++) {
        char text[ADDRESS_TEXT_BYTES];
        struct address address;
        (void)snprintf(text, sizeof(text), "2001:db8:1:2::%x", i);
        assert_true(address_parse(text, &address));
        auth_guard_count(f->guard, "auth.failed", &address, NULL, "");
    }
    pass_s(f, 60);
    assert_written(f, 1, 600, START_US + 60 * US_PER_S);
    const char *actor = NULL;
    struct err err = {0};
    assert_int_equal(store_read_once(f->scratch.database, read_actor, &actor, &err), OK);
    assert_string_equal(actor, "2001:db8:1:2::/64");
}

static void failures_without_room_are_counted_without_their_address(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 700; i++) {
        count_nth(f, i, NULL);
        count_nth(f, 0, NULL); // it has an entry already
    }
    pass_s(f, 60);
    assert_written(f, 501, 1400, START_US + 60 * US_PER_S);
}

static void a_merchant_leaves_room_for_the_others(void **state)
{
    struct fixture *f = *state;
    struct uuid ids[30];
    for (unsigned m = 0; m < 30; m++) {
        ids[m] = uuid_new(&random_system, START_US);
    }
    for (unsigned i = 0; i < 2000; i++) {
        count_nth(f, i, &ids[0]);
    }
    for (unsigned m = 1; m < 10; m++) {
        count_nth(f, m, &ids[m]);
    }
    pass_s(f, 60);
    assert_written(f, 50 + 1 + 9, 2009, START_US + 60 * US_PER_S);
    for (unsigned m = 0; m < 30; m++) { // more than there is room for
        for (unsigned i = 0; i < 60; i++) {
            count_nth(f, i, &ids[m]);
        }
    }
    pass_s(f, 60);
    assert_written(f, 60 + 1000 + 1, 2009 + 30 * 60, START_US + 120 * US_PER_S);
}

static void unknown_addresses_fill_only_so_many_entries_a_day(void **state)
{
    struct fixture *f = *state;
    int64_t minutes = 0;
    for (; minutes < 1440; minutes++) {
        for (unsigned i = 0; i < 100; i++) {
            count_nth(f, (unsigned)minutes * 100 + i, NULL);
        }
        pass_s(f, 60);
    }
    int64_t sums[3] = {0};
    struct err err = {0};
    assert_int_equal(store_run_once(f->scratch.database, count_rows, sums, &err), OK);
    assert_in_range(sums[0], 5000, 2 * 5000 + 1440); // the burst, a day's, and a sum each minute
    assert_int_equal(sums[1], minutes * 100);
}

// --- uses of keys

struct uses {
    int64_t keys;
    int64_t last_us;
};

static enum errc read_uses(struct db *db, void *context, struct err *err)
{
    (void)err;
    struct uses *uses = context;
    uses->keys = database_number(db, "SELECT count(*) FROM key_uses");
    uses->last_us = database_number(db, "SELECT coalesce(max(used_us), 0) FROM key_uses");
    return OK;
}

static void assert_used(struct fixture *f, int64_t keys, int64_t last_us)
{
    struct uses uses = {0};
    struct err err = {0};
    assert_int_equal(store_run_once(f->scratch.database, read_uses, &uses, &err), OK);
    assert_int_equal(uses.keys, keys);
    assert_int_equal(uses.last_us, last_us);
}

static void use(struct fixture *f, uint8_t n, int64_t at_us)
{
    const struct uuid key_id = {.bytes = {n}};
    auth_guard_count(f->guard, "auth.success", &f->client, NULL, "sk_live_aaaa");
    auth_guard_used(f->guard, &key_id, at_us);
}

static void the_last_use_of_a_key_is_written_once_a_minute(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1000; i++) {
        use(f, 1, START_US + i);
    }
    use(f, 2, START_US);
    pass_s(f, 59);
    assert_used(f, 0, 0);
    pass_s(f, 1);
    assert_used(f, 2, START_US + 999);
    use(f, 1, START_US + 5000);
    pass_s(f, 60);
    assert_used(f, 2, START_US + 5000);
    use(f, 1, START_US + 4000); // another node has written a later one
    assert_false(auth_guard_drain(f->guard));
    pass_s(f, 1);
    assert_true(auth_guard_drain(f->guard));
    assert_used(f, 2, START_US + 5000);
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
        cmocka_unit_test_setup_teardown(an_ipv6_subscriber_is_one_address, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_without_room_are_counted_without_their_address, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_merchant_leaves_room_for_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_addresses_fill_only_so_many_entries_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_use_of_a_key_is_written_once_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_may_fail_ten_times_in_five_minutes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
