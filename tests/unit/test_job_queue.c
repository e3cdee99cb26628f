// How many requests' jobs the database threads may take before the loop has finished earlier ones. Here one
// thread stands for all.
#include "unit_test.h"

#include "store/job_queue.h"

#define OUT_MAX 32
#define REQUESTS (OUT_MAX + 20)
#define BATCH_MAX 256

struct fixture {
    struct loop loop;
    struct job_queue queue;
    struct store_job jobs[REQUESTS];
    struct store_job own;
};

static int64_t mono_us(struct loop *loop)
{
    (void)loop;
    return 1;
}

static const struct loop_ops ops = {.mono_us = mono_us};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.loop.ops = &ops};
    job_queue_init(&fixture.queue, &fixture.loop, 0, OUT_MAX);
    for (size_t i = 0; i < REQUESTS; i++) {
        fixture.jobs[i].owner = 1 + i % 3;
        job_queue_add_job(&fixture.queue, &fixture.jobs[i]);
    }
    *state = &fixture;
    return 0;
}

static size_t take(struct fixture *fixture)
{
    struct list taken;
    list_init(&taken);
    return job_queue_take(&fixture->queue, &taken, BATCH_MAX, 1);
}

// Adds a job of the service's own, which is never held back, and tells what is taken beside it.
static size_t take_beside_own(struct fixture *fixture)
{
    fixture->own = (struct store_job){.owner = STORE_OWN_JOB};
    job_queue_add_job(&fixture->queue, &fixture->own);
    return take(fixture) - 1;
}

// Closing also lets go what the loop will never finish.
static int teardown(void **state)
{
    struct fixture *fixture = *state;
    job_queue_close(&fixture->queue);
    while (take(fixture) > 0) {
    }
    job_queue_destroy(&fixture->queue);
    return 0;
}

static void requests_wait_until_the_loop_has_finished_earlier_ones(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(take(fixture), OUT_MAX);
    assert_int_equal(take_beside_own(fixture), 0);
    job_queue_wake(&fixture->queue, 5);
    assert_int_equal(take(fixture), 5);
    assert_int_equal(take_beside_own(fixture), 0);
}

static void closing_holds_nothing_back(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(take(fixture), OUT_MAX);
    job_queue_close(&fixture->queue);
    assert_int_equal(take(fixture), REQUESTS - OUT_MAX);
    assert_int_equal(take(fixture), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_wait_until_the_loop_has_finished_earlier_ones, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(closing_holds_nothing_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
