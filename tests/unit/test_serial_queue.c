// One at a time, in the order in which they came, and not too many.
#include "unit_test.h"

#include "api/serial_queue.h"
#include "base/require.h"

#define WAITING_MAX 64

static struct serial_entry turns_of[WAITING_MAX + 2];
static size_t came[COUNT_OF(turns_of)];
static size_t came_count;

static void note(struct serial_entry *entry)
{
    came[came_count++] = (size_t)(entry - turns_of);
}

static void take(struct serial_queue *queue, size_t which, bool taken)
{
    turns_of[which].reached = note;
    assert_int_equal(serial_queue_enter(queue, &turns_of[which]), taken);
}

static int setup(void **state)
{
    static struct serial_queue queue;
    serial_queue_init(&queue);
    came_count = 0;
    *state = &queue;
    return 0;
}

static void the_next_waiter_runs_when_the_one_before_is_done(void **state)
{
    struct serial_queue *queue = *state;
    for (size_t i = 0; i < 3; i++) {
        take(queue, i, true);
        assert_int_equal(came_count, 1);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(came_count, i + 1);
        assert_int_equal(came[i], i);
        serial_queue_leave(queue);
    }
    assert_int_equal(came_count, 3);
    take(queue, 3, true);
    assert_int_equal(came_count, 4);
}

static void a_request_that_finds_too_many_waiting_is_refused(void **state)
{
    struct serial_queue *queue = *state;
    for (size_t i = 0; i < WAITING_MAX + 1; i++) {
        take(queue, i, true);
    }
    take(queue, WAITING_MAX + 1, false);
    serial_queue_leave(queue);
    take(queue, WAITING_MAX + 1, true);
    while (came_count < COUNT_OF(turns_of)) {
        serial_queue_leave(queue);
    }
    assert_int_equal(came[WAITING_MAX + 1], WAITING_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_next_waiter_runs_when_the_one_before_is_done, setup),
        cmocka_unit_test_setup(a_request_that_finds_too_many_waiting_is_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
