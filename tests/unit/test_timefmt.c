// Times: what is written, what is read, and what is neither.
#include "unit_test.h"

#include <string.h>
#include <time.h>

#include "base/require.h"
#include "base/timefmt.h"

static void assert_written(int64_t time_us, const char *text, const char *exact)
{
    char out[TIME_TEXT_BYTES];
    assert_int_equal(time_format(time_us, out), strlen(text));
    assert_string_equal(out, text);
    time_format_exact(time_us, out);
    assert_string_equal(out, exact);
}

static void assert_read(const char *text, int64_t time_us)
{
    int64_t read_us = -1;
    struct err err = {0};
    if (time_parse(text, &read_us, &err) != OK) {
        fail_msg("%s is refused: %s", text, err.message);
    }
    if (read_us != time_us) {
        fail_msg("%s is read as %lld", text, (long long)read_us);
    }
}

static void answers_are_to_the_second_and_the_log_is_exact(void **state)
{
    (void)state;
    assert_written(0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z");
    assert_written(INT64_C(1735732800000000), "2025-01-01T12:00:00Z", "2025-01-01T12:00:00.000000Z");
    assert_written(INT64_C(1735732800123456), "2025-01-01T12:00:00Z", "2025-01-01T12:00:00.123456Z");
    assert_written(INT64_C(253402300799999999), "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z");
    assert_written(-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999999Z");
    assert_written(-1000000, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000000Z");
    assert_written(INT64_C(253402300800000000), "10000-01-01T00:00:00Z", "10000-01-01T00:00:00.000000Z");
    assert_written(INT64_MAX, "294247-01-10T04:00:54Z", "294247-01-10T04:00:54.775807Z");
    assert_written(INT64_MIN, "-290308-12-21T19:59:05Z", "-290308-12-21T19:59:05.224192Z");
}

static void every_day_is_written_as_gmtime_has_it(void **state)
{
    (void)state;
    const time_t day_s = 86400;
    for (time_t at_s = -400 * 366 * day_s; at_s < 800 * 366 * day_s; at_s += day_s) {
        struct tm tm;
        char expected[TIME_TEXT_BYTES];
        char out[TIME_TEXT_BYTES];
        const time_t second = at_s + (at_s / day_s * 7919) % day_s;
        assert_non_null(gmtime_r(&second, &tm));
        assert_int_not_equal(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm), 0);
        (void)time_format((int64_t)second * US_PER_S, out);
        assert_string_equal(out, expected);
    }
}

static void a_month_begins_with_its_first_second_in_utc(void **state)
{
    (void)state;
    assert_int_equal(time_month(INT64_C(1735689599999999)), 2024 * 12 + 12);
    assert_int_equal(time_month(INT64_C(1735689600000000)), 2025 * 12 + 1);
}

static void the_forms_of_rfc_3339_are_read(void **state)
{
    (void)state;
    int64_t noon_us = INT64_C(1735732800000000);
    assert_read("2025-01-01T12:00:00Z", noon_us);
    assert_read("2025-01-01t12:00:00z", noon_us);
    assert_read("2025-01-01T12:00:00.5Z", noon_us + 500000);
    assert_read("2025-01-01T12:00:00.123456789Z", noon_us + 123456);
    assert_read("2025-01-01T12:00:00.000000Z", noon_us);
    assert_read("2025-01-01T12:00:00+00:00", noon_us);
    assert_read("2025-01-01T14:30:00+02:30", noon_us);
    assert_read("2025-01-01T04:00:00-08:00", noon_us);
    assert_read("2025-01-02T00:00:00.25+12:00", noon_us + 250000);
    assert_read("2025-01-01", noon_us - 12 * 3600 * US_PER_S);
    assert_read("1970-01-01T00:00:00Z", 0);
    assert_read("9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999));
}

static void leap_days_are_there_in_leap_years_only(void **state)
{
    (void)state;
    assert_read("2024-02-29", INT64_C(1709164800000000));
    assert_read("2000-02-29", INT64_C(951782400000000));
    int64_t time_us = -7;
    assert_int_equal(time_parse("2023-02-29", &time_us, NULL), ERR_VALIDATION);
    assert_int_equal(time_parse("2100-02-29", &time_us, NULL), ERR_VALIDATION);
    assert_int_equal(time_us, -7);
}

static void text_that_is_no_time_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "yesterday",
                                        "1735732800",
                                        "2025",
                                        "2025-01",
                                        "2025-1-1",
                                        "2025-00-01",
                                        "2025-13-01",
                                        "2025-01-00",
                                        "2025-01-32",
                                        "2025-04-31",
                                        "2025-01-01T",
                                        "2025-01-01T12",
                                        "2025-01-01T12:00",
                                        "2025-01-01T12:00:00",
                                        "2025-01-01T12:00:00.Z",
                                        "2025-01-01T12:00:00.1234567890Z",
                                        "2025-01-01T12:00:00,5Z",
                                        "2025-01-01 12:00:00Z",
                                        "2025-01-01T24:00:00Z",
                                        "2025-01-01T12:60:00Z",
                                        "2025-01-01T12:00:60Z",
                                        "2025-01-01T12:00:00+2:00",
                                        "2025-01-01T12:00:00+0200",
                                        "2025-01-01T12:00:00+24:00",
                                        "2025-01-01T12:00:00+02:60",
                                        "2025-01-01T12:00:00ZZ",
                                        "2025-01-01Z",
                                        " 2025-01-01",
                                        "2025-01-01 ",
                                        "1969-12-31T23:59:59Z",
                                        "1970-01-01T00:00:00+00:01",
                                        "9999-12-31T23:59:59-00:01",
                                        "10000-01-01",
                                        "-025-01-01",
                                        "2025-01-01T1\xd9\xa1:00:00Z"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int64_t time_us = -7;
        struct err err = {0};
        if (time_parse(texts[i], &time_us, &err) != ERR_VALIDATION) {
            fail_msg("'%s' is read as %lld", texts[i], (long long)time_us);
        }
        assert_int_equal(time_us, -7);
        assert_non_null(strstr(err.message, "2025-01-01T12:00:00Z")); // it says what is expected
    }
    int64_t time_us = -7;
    assert_int_equal(time_parse(NULL, &time_us, NULL), ERR_VALIDATION);
}

static void every_day_for_four_centuries_reads_back(void **state)
{
    (void)state;
    int64_t day_us = 86400 * US_PER_S;
    for (int64_t time_us = 0; time_us < 400 * 366 * day_us; time_us += day_us + 61000007) {
        char text[TIME_TEXT_BYTES];
        time_format_exact(time_us, text);
        assert_read(text, time_us);
    }
}

static void the_date_of_an_http_answer_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time_us;
    } dates[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777000000)},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 2025 23:59:59 GMT", INT64_C(1767225599000000)},
        {"Sat, 29 Feb 2020 12:00:00 GMT", INT64_C(1582977600000000)},
    };
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        int64_t time_us = -1;
        assert_int_equal(time_parse_http(dates[i].text, &time_us, NULL), OK);
        assert_int_equal(time_us, dates[i].time_us);
    }
    static const char *const others[] = {
        "",
        "Sun",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 anF 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        int64_t time_us = -1;
        assert_int_equal(time_parse_http(others[i], &time_us, NULL), ERR_VALIDATION);
        assert_int_equal(time_us, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_to_the_second_and_the_log_is_exact),
        cmocka_unit_test(every_day_is_written_as_gmtime_has_it),
        cmocka_unit_test(a_month_begins_with_its_first_second_in_utc),
        cmocka_unit_test(the_forms_of_rfc_3339_are_read),
        cmocka_unit_test(leap_days_are_there_in_leap_years_only),
        cmocka_unit_test(text_that_is_no_time_is_refused_and_changes_nothing),
        cmocka_unit_test(every_day_for_four_centuries_reads_back),
        cmocka_unit_test(the_date_of_an_http_answer_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
