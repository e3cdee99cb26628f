// Who goes next, and who may add more, on a clock of the tests' own.
#include "unit_test.h"

#include "base/require.h"
#include "base/timefmt.h"
#include "store/fair_queue.h"

#define WAIT_MAX_US (100 * US_PER_MS)
#define BURST_US (3 * US_PER_S)
#define ROOM 100000
#define FLOODER 1
#define OTHER 2

struct fixture {
    struct fair_queue queue;
    struct store_job jobs[8000];
    size_t used;
    int64_t now_us;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.now_us = 7 * US_PER_S};
    fair_queue_init(&fixture.queue, WAIT_MAX_US);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    while (fair_queue_take(&fixture->queue, fixture->now_us) != NULL) {
    }
    fair_queue_release(&fixture->queue);
    return 0;
}

static bool admits(struct fixture *fixture, uint64_t owner)
{
    return fair_queue_admits(&fixture->queue, owner, ROOM, fixture->now_us);
}

static void add(struct fixture *fixture, uint64_t owner, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct store_job *job = &fixture->jobs[fixture->used++ % COUNT_OF(fixture->jobs)];
        *job = (struct store_job){.owner = owner};
        fair_queue_add(&fixture->queue, job, fixture->now_us);
    }
}

static void expect_next(struct fixture *fixture, uint64_t owner)
{
    const struct store_job *job = fair_queue_take(&fixture->queue, fixture->now_us);
    assert_non_null(job);
    assert_int_equal(job->owner, owner);
}

static void owners_take_turns(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, FLOODER, 300);
    add(fixture, OTHER, 2);
    add(fixture, 3, 1);
    const uint64_t order[] = {FLOODER, OTHER, 3, FLOODER, OTHER, FLOODER, FLOODER};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        expect_next(fixture, order[i]);
    }
    assert_int_equal(fixture->queue.count, 303 - COUNT_OF(order));
}

static void jobs_of_one_owner_keep_their_order(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, FLOODER, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(fair_queue_take(&fixture->queue, fixture->now_us), &fixture->jobs[i]);
    }
    assert_null(fair_queue_take(&fixture->queue, fixture->now_us));
}

static void who_leaves_and_comes_back_does_not_go_first(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, FLOODER, 2);
    add(fixture, OTHER, 1);
    expect_next(fixture, FLOODER);
    expect_next(fixture, OTHER);
    add(fixture, OTHER, 1);
    expect_next(fixture, FLOODER);
    expect_next(fixture, OTHER);
}

// One job of the owner is taken in 10 ms, so with 11 that wait, a new one would wait too long.
static void make_late(struct fixture *fixture)
{
    add(fixture, FLOODER, 13);
    expect_next(fixture, FLOODER);
    fixture->now_us += 10 * US_PER_MS;
    expect_next(fixture, FLOODER);
    assert_true(admits(fixture, FLOODER));
}

static void a_burst_may_wait_for_three_seconds(void **state)
{
    struct fixture *fixture = *state;
    make_late(fixture);
    fixture->now_us += BURST_US - 1;
    assert_true(admits(fixture, FLOODER));
    fixture->now_us += 1;
    assert_false(admits(fixture, FLOODER));
    assert_true(admits(fixture, OTHER));
}

// 10,000 jobs of 100 owners in a second and a half, where a quarter of them is served meanwhile.
static void a_burst_that_ends_is_not_refused(void **state)
{
    struct fixture *fixture = *state;
    static struct store_job jobs[10000];
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        const uint64_t owner = 1 + i % 100;
        assert_true(admits(fixture, owner));
        jobs[i] = (struct store_job){.owner = owner};
        fair_queue_add(&fixture->queue, &jobs[i], fixture->now_us);
        if (i % 4 == 0) {
            assert_non_null(fair_queue_take(&fixture->queue, fixture->now_us));
        }
        fixture->now_us += 150;
    }
}

static void a_wait_that_was_short_in_between_is_not_an_overload(void **state)
{
    struct fixture *fixture = *state;
    make_late(fixture);
    expect_next(fixture, FLOODER);
    expect_next(fixture, FLOODER);
    assert_true(admits(fixture, FLOODER)); // the wait is short now
    add(fixture, FLOODER, 5);
    fixture->now_us += BURST_US;
    assert_true(admits(fixture, FLOODER));
}

static void a_database_that_takes_nothing_is_an_overload(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, FLOODER, 1);
    fixture->now_us += WAIT_MAX_US + 1;
    assert_true(admits(fixture, FLOODER));
    fixture->now_us += BURST_US;
    assert_false(admits(fixture, FLOODER));
}

static void one_owner_cannot_take_all_the_room(void **state)
{
    struct fixture *fixture = *state;
    const size_t total = 100;
    size_t taken = 0;
    while (fair_queue_admits(&fixture->queue, FLOODER, total - taken, fixture->now_us)) {
        add(fixture, FLOODER, 1);
        taken++;
    }
    assert_in_range(taken, 70, 80);
    assert_true(fair_queue_admits(&fixture->queue, OTHER, total - taken, fixture->now_us));
    assert_false(fair_queue_admits(&fixture->queue, OTHER, 0, fixture->now_us));
}

// After the first seconds waits stay near the limit, nothing that could be served is refused, and when the
// load ends so do the refusals.
static void serve_overloaded(struct fixture *fixture, int jobs_per_ms)
{
    size_t refused = 0;
    for (int ms = 0; ms < 15000; ms++) { // one job a millisecond is served
        for (int i = 0; i < jobs_per_ms; i++) {
            if (admits(fixture, FLOODER)) {
                add(fixture, FLOODER, 1);
            } else {
                refused++;
            }
        }
        const struct store_job *job = fair_queue_take(&fixture->queue, fixture->now_us);
        assert_non_null(job);
        if (ms > 10000) {
            assert_in_range(fixture->now_us - job->queued_us, WAIT_MAX_US / 2, WAIT_MAX_US * 5 / 4);
        }
        fixture->now_us += US_PER_MS;
    }
    assert_in_range(refused, (jobs_per_ms - 1) * 15000 - 200, (jobs_per_ms - 1) * 15000);
    expect_next(fixture, FLOODER);
    fixture->now_us += US_PER_MS;
    expect_next(fixture, FLOODER);
    assert_true(admits(fixture, FLOODER));
}

static void at_twice_the_load_all_that_can_be_served_is(void **state)
{
    serve_overloaded(*state, 2);
}

static void at_three_times_the_load_too(void **state)
{
    serve_overloaded(*state, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(owners_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(jobs_of_one_owner_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_and_comes_back_does_not_go_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_burst_may_wait_for_three_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_burst_that_ends_is_not_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_that_was_short_in_between_is_not_an_overload, setup, teardown),
        cmocka_unit_test_setup_teardown(a_database_that_takes_nothing_is_an_overload, setup, teardown),
        cmocka_unit_test_setup_teardown(one_owner_cannot_take_all_the_room, setup, teardown),
        cmocka_unit_test_setup_teardown(at_twice_the_load_all_that_can_be_served_is, setup, teardown),
        cmocka_unit_test_setup_teardown(at_three_times_the_load_too, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
