// One at a time, in the order in which they came, and not too many.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/turns.h"
#include "base/require.h"

#define WAITING_MAX 64

static struct turn turns_of[WAITING_MAX + 2];
static size_t came[COUNT_OF(turns_of)];
static size_t came_count;

static void note(struct turn *turn)
{
    came[came_count++] = (size_t)(turn - turns_of);
}

static void take(struct turns *turns, size_t which, bool taken)
{
    turns_of[which].come = note;
    assert_int_equal(turns_take(turns, &turns_of[which]), taken);
}

static int setup(void **state)
{
    static struct turns turns;
    turns_init(&turns);
    came_count = 0;
    *state = &turns;
    return 0;
}

static void the_next_ones_turn_comes_when_the_one_before_is_done(void **state)
{
    struct turns *turns = *state;
    for (size_t i = 0; i < 3; i++) {
        take(turns, i, true);
        assert_int_equal(came_count, 1);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(came_count, i + 1);
        assert_int_equal(came[i], i);
        turns_pass(turns);
    }
    assert_int_equal(came_count, 3);
    take(turns, 3, true);
    assert_int_equal(came_count, 4);
}

static void whoever_finds_too_many_waiting_is_sent_away(void **state)
{
    struct turns *turns = *state;
    for (size_t i = 0; i < WAITING_MAX + 1; i++) {
        take(turns, i, true);
    }
    take(turns, WAITING_MAX + 1, false);
    turns_pass(turns);
    take(turns, WAITING_MAX + 1, true);
    while (came_count < COUNT_OF(turns_of)) {
        turns_pass(turns);
    }
    assert_int_equal(came[WAITING_MAX + 1], WAITING_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_next_ones_turn_comes_when_the_one_before_is_done, setup),
        cmocka_unit_test_setup(whoever_finds_too_many_waiting_is_sent_away, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
