// No second exceeds the rate, and nearly all of it can be used.
#include "unit_test.h"

#include <string.h>

#include "base/require.h"
#include "domain/pace.h"

#define SECOND INT64_C(1000000)
#define TAKES 1000

// Takes as soon as it may, with a clock of `step_us`. *least_us is the shortest time that rate + 1 takes
// took.
static int64_t time_of(int64_t rate, int64_t step_us, int64_t *least_us)
{
    struct pace pace = {0};
    int64_t at_us[TAKES];
    int64_t now_us = 100 * SECOND;
    *least_us = INT64_MAX;
    for (int64_t i = 0; i < TAKES; i++) {
        now_us += (pace_wait_us(&pace, now_us) + step_us - 1) / step_us * step_us;
        pace_take(&pace, rate, now_us);
        at_us[i] = now_us;
        if (i >= rate && at_us[i] - at_us[i - rate] < *least_us) {
            *least_us = at_us[i] - at_us[i - rate];
        }
    }
    return at_us[TAKES - 1] - at_us[0];
}

static void no_second_exceeds_the_rate_and_nearly_all_of_it_can_be_used(void **state)
{
    (void)state;
    static const int64_t rates[] = {1, 2, 7, 25, 100, 333};
    static const int64_t steps_us[] = {1, 1000, 7919};
    for (size_t r = 0; r < COUNT_OF(rates); r++) {
        for (size_t s = 0; s < COUNT_OF(steps_us); s++) {
            int64_t least_us = 0;
            int64_t time_us = time_of(rates[r], steps_us[s], &least_us);
            assert_true(least_us >= SECOND);
            assert_true(time_us <= TAKES * SECOND / rates[r] * 11 / 10);
        }
    }
}

static void nodes_together_keep_the_rate(void **state)
{
    (void)state;
    static const int64_t rates[] = {25, 100};
    for (size_t r = 0; r < COUNT_OF(rates); r++) {
        for (int64_t nodes = 1; nodes <= 7; nodes++) {
            int64_t least_us = 0;
            const int64_t share = pace_share(rates[r], nodes);
            (void)time_of(share, 1000, &least_us);
            assert_true(least_us >= SECOND); // so any second sees no more than the share
            assert_true(share * nodes <= rates[r] && (share + 1) * nodes > rates[r]);
        }
    }
    assert_int_equal(pace_share(0, 3), 0);
    assert_int_equal(pace_share(2, 3), 1);
}

static void unused_calls_are_not_saved_up(void **state)
{
    (void)state;
    struct pace pace = {0};
    int taken = 0;
    for (; pace_wait_us(&pace, 1000 * SECOND) == 0; taken++) {
        pace_take(&pace, 100, 1000 * SECOND);
    }
    assert_in_range(taken, 1, 6);
}

static void rates_are_parsed(void **state)
{
    (void)state;
    struct err err;
    struct pace_rates rates;
    assert_int_equal(pace_rates_parse("25,100", &rates, &err), OK);
    assert_true(rates.test == 25 && rates.live == 100);
    assert_int_equal(pace_rates_parse("1,10000", &rates, &err), OK);
    assert_true(rates.test == 1 && rates.live == 10000);
    assert_int_equal(pace_rates_parse("off", &rates, &err), OK);
    assert_true(rates.test == 0 && rates.live == 0);
    static const char *const refused[] = {
        "",     "25",  "25,",     "0,1",   "1,0", "-1,1",  "10001,1", "1,2,3",   "1 ,2",
        "1, 2", "Off", "off,off", "1.5,2", "a,b", "25;10", ",",       "1,10001", "99999999999999999999,1"};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        assert_int_equal(pace_rates_parse(refused[i], &rates, &err), ERR_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_second_exceeds_the_rate_and_nearly_all_of_it_can_be_used),
        cmocka_unit_test(nodes_together_keep_the_rate),
        cmocka_unit_test(unused_calls_are_not_saved_up),
        cmocka_unit_test(rates_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
