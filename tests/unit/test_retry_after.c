// How long an endpoint asks us to wait: RFC 9110's own example dates, and what endpoints send instead.
#include "unit_test.h"

#include "base/timefmt.h"
#include "delivery/retry_after.h"

#define NOW_US (INT64_C(784111777) * US_PER_S) // Sun, 06 Nov 1994 08:49:37 GMT

static void seconds_are_taken_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(retry_after_us("120", NOW_US), 120 * US_PER_S);
    assert_int_equal(retry_after_us("0", NOW_US), 0);
}

static void a_date_is_understood_in_each_of_the_three_forms(void **state)
{
    (void)state;
    assert_int_equal(retry_after_us("Sun, 06 Nov 1994 08:51:37 GMT", NOW_US), 120 * US_PER_S);
    assert_int_equal(retry_after_us("Sunday, 06-Nov-94 08:51:37 GMT", NOW_US), 120 * US_PER_S);
    assert_int_equal(retry_after_us("Sun Nov  6 08:51:37 1994", NOW_US), 120 * US_PER_S);
}

static void a_date_in_the_past_asks_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(retry_after_us("Sun, 06 Nov 1994 08:49:36 GMT", NOW_US), 0);
}

static void a_retry_after_that_is_not_understood_asks_for_nothing(void **state)
{
    (void)state;
    static const char *const values[] = {"",    " ",    "-5",          "1.5",
                                         "5 s", "soon", "Sun, 06 Nov", "Sun, 06 Nov 1994 08:51:37 GMT, 5"};
    assert_int_equal(retry_after_us(NULL, NOW_US), 0);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_int_equal(retry_after_us(values[i], NOW_US), 0);
    }
}

static void an_absurd_retry_after_is_a_year(void **state)
{
    (void)state;
    const int64_t year_us = INT64_C(365) * 24 * 3600 * US_PER_S;
    assert_int_equal(retry_after_us("99999999999999999999999999999999999999", NOW_US), year_us);
    assert_int_equal(retry_after_us("Fri, 31 Dec 9999 23:59:59 GMT", NOW_US), year_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_taken_as_they_are),
        cmocka_unit_test(a_date_is_understood_in_each_of_the_three_forms),
        cmocka_unit_test(a_date_in_the_past_asks_for_nothing),
        cmocka_unit_test(a_retry_after_that_is_not_understood_asks_for_nothing),
        cmocka_unit_test(an_absurd_retry_after_is_a_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
