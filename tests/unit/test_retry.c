// The schedules: each delay at both ends of its jitter, and what ends or bounds them.
#include "unit_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "domain/retry.h"

#define MS INT64_C(1000)
#define S (1000 * MS)
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define CAP (8 * S)

static void provider_attempts_double_up_to_the_cap(void **state)
{
    (void)state;
    static const int64_t whole_us[] = {500 * MS, 1 * S, 2 * S, 4 * S, 8 * S, 8 * S, 8 * S};
    for (int i = 0; i < (int)COUNT_OF(whole_us); i++) {
        assert_int_equal(retry_provider_delay_us(i + 1, CAP, 0), whole_us[i] / 2);
        assert_in_range(retry_provider_delay_us(i + 1, CAP, UINT32_MAX), whole_us[i] - 1, whole_us[i]);
        assert_in_range(retry_provider_delay_us(i + 1, CAP, UINT32_MAX / 2), whole_us[i] * 3 / 4 - 1,
                        whole_us[i] * 3 / 4);
    }
}

static void provider_delays_stay_in_bounds_whatever_the_attempt_and_the_cap(void **state)
{
    (void)state;
    static const int attempts[] = {1, 2, 31, 62, 63, 64, 1000000, INT32_MAX};
    static const int64_t caps_us[] = {1, 100 * MS, 250 * MS, 700 * MS, 60 * S, 7 * DAY, INT64_MAX};
    for (size_t a = 0; a < COUNT_OF(attempts); a++) {
        for (size_t c = 0; c < COUNT_OF(caps_us); c++) {
            int64_t least_us = retry_provider_delay_us(attempts[a], caps_us[c], 0);
            int64_t most_us = retry_provider_delay_us(attempts[a], caps_us[c], UINT32_MAX);
            assert_true(least_us >= 250 * MS);
            assert_true(most_us >= least_us);
            assert_true(most_us <= caps_us[c] || most_us == 250 * MS);
        }
    }
}

static void pending_payments_are_asked_less_and_less_often(void **state)
{
    (void)state;
    static const int64_t due_us[] = {10 * S, MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR, HOUR, HOUR};
    int64_t age_us = 0;
    for (size_t i = 0; i < COUNT_OF(due_us); i++) {
        assert_int_equal(retry_check_delay_us(age_us, 0), due_us[i]);
        assert_in_range(retry_check_delay_us(age_us, UINT32_MAX), due_us[i] + due_us[i] / 10 - 1,
                        due_us[i] + due_us[i] / 10);
        age_us += due_us[i];
    }
    assert_int_equal(retry_check_delay_us(-9 * S, 0), 10 * S); // the clock was set back
    assert_int_equal(retry_check_delay_us(-DAY, 0), DAY);
    assert_int_equal(retry_check_delay_us(-INT64_MAX, 0), DAY);
    assert_int_equal(retry_check_delay_us(DAY - 1, 0), HOUR);
    assert_int_equal(retry_check_delay_us(DAY, 0), DAY);
    assert_int_equal(retry_check_delay_us(INT64_MAX, 0), DAY);
}

static void assert_schedule_refused(const char *text)
{
    struct retry_schedule schedule = {.count = 77};
    struct err err = {0};
    if (retry_schedule_parse(text, &schedule, &err) != ERR_CONFIG) {
        fail_msg("the schedule '%s' is taken", text);
    }
    assert_int_equal(schedule.count, 77);
    assert_true(strlen(err.message) > 0);
}

static void a_schedule_is_seconds_between_commas(void **state)
{
    (void)state;
    struct retry_schedule schedule;
    assert_int_equal(retry_schedule_parse("5,300,1800,7200,18000,36000,50400,72000,86400", &schedule, NULL),
                     OK);
    assert_int_equal(schedule.count, 9);
    assert_int_equal(schedule.delay_us[0], 5 * S);
    assert_int_equal(schedule.delay_us[2], 30 * MINUTE);
    assert_int_equal(schedule.delay_us[8], 24 * HOUR);
    assert_int_equal(retry_schedule_parse("1", &schedule, NULL), OK);
    assert_int_equal(schedule.count, 1);
    assert_int_equal(retry_schedule_parse("604800,007", &schedule, NULL), OK);
    assert_int_equal(schedule.delay_us[0], 7 * DAY);
    assert_int_equal(schedule.delay_us[1], 7 * S);
}

static void a_malformed_schedule_is_refused_and_nothing_is_touched(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          ",",
                                          "5,",
                                          "5,,6",
                                          ",5",
                                          "0",
                                          "5,0",
                                          "-5",
                                          "+5",
                                          " 5",
                                          "5 6",
                                          "5, 300",
                                          "5m",
                                          "5.5",
                                          "1e3",
                                          "5;6",
                                          "5\n",
                                          "604801",
                                          "0x5",
                                          "99999999999999999999999",
                                          "5,18446744073709551617"};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        assert_schedule_refused(refused[i]);
    }
}

static void a_schedule_holds_at_most_32_delays(void **state)
{
    (void)state;
    char text[2 * (RETRY_SCHEDULE_MAX + 1) + 1] = "";
    for (int i = 0; i < RETRY_SCHEDULE_MAX; i++) {
        strncat(text, i == 0 ? "9" : ",9", 3);
    }
    struct retry_schedule schedule;
    assert_int_equal(retry_schedule_parse(text, &schedule, NULL), OK);
    assert_int_equal(schedule.count, RETRY_SCHEDULE_MAX);
    strncat(text, ",9", 3);
    assert_schedule_refused(text);
}

static struct retry_schedule contract_schedule(void)
{
    struct retry_schedule schedule = {.count = 0};
    assert_int_equal(retry_schedule_parse("5,300,1800,7200,18000,36000,50400,72000,86400", &schedule, NULL),
                     OK);
    return schedule;
}

static void webhooks_wait_their_delay_and_up_to_a_fifth_more(void **state)
{
    (void)state;
    struct retry_schedule schedule = contract_schedule();
    for (int attempts = 1; attempts <= 9; attempts++) {
        int64_t planned_us = schedule.delay_us[attempts - 1];
        int64_t delay_us = 0;
        assert_true(retry_webhook_delay_us(&schedule, attempts, 0, 0, &delay_us));
        assert_int_equal(delay_us, planned_us);
        assert_true(retry_webhook_delay_us(&schedule, attempts, 0, UINT32_MAX, &delay_us));
        assert_in_range(delay_us, planned_us + planned_us / 5 - 100, planned_us + planned_us / 5);
    }
}

static void a_used_up_schedule_means_dead(void **state)
{
    (void)state;
    struct retry_schedule schedule = contract_schedule();
    int64_t delay_us = -7;
    assert_true(retry_webhook_delay_us(&schedule, 9, 0, 0, &delay_us));
    delay_us = -7;
    assert_false(retry_webhook_delay_us(&schedule, 10, 0, 0, &delay_us));
    assert_false(retry_webhook_delay_us(&schedule, INT32_MAX, HOUR, 0, &delay_us));
    assert_int_equal(delay_us, -7);
}

static void a_longer_retry_after_is_honoured_up_to_a_day(void **state)
{
    (void)state;
    struct retry_schedule schedule = contract_schedule();
    int64_t delay_us = 0;
    assert_true(retry_webhook_delay_us(&schedule, 1, 90 * S, UINT32_MAX, &delay_us));
    assert_int_equal(delay_us, 90 * S);
    assert_true(retry_webhook_delay_us(&schedule, 1, 1 * S, 0, &delay_us));
    assert_int_equal(delay_us, 5 * S);
    assert_true(retry_webhook_delay_us(&schedule, 1, INT64_MAX, 0, &delay_us));
    assert_int_equal(delay_us, DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(provider_attempts_double_up_to_the_cap),
        cmocka_unit_test(provider_delays_stay_in_bounds_whatever_the_attempt_and_the_cap),
        cmocka_unit_test(pending_payments_are_asked_less_and_less_often),
        cmocka_unit_test(a_schedule_is_seconds_between_commas),
        cmocka_unit_test(a_malformed_schedule_is_refused_and_nothing_is_touched),
        cmocka_unit_test(a_schedule_holds_at_most_32_delays),
        cmocka_unit_test(webhooks_wait_their_delay_and_up_to_a_fifth_more),
        cmocka_unit_test(a_used_up_schedule_means_dead),
        cmocka_unit_test(a_longer_retry_after_is_honoured_up_to_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
