// See timefmt.h. Arithmetic is in whole microseconds; the local time zone is never used. Pure; any thread.
#include "base/timefmt.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#define HTTP_DATE_CHARS strlen("Sun, 06 Nov 1994 08:49:37 GMT")

#define S_PER_DAY INT64_C(86400)
// 400 years have as many days whenever they begin. A year begins in March here, so its leap day is its last.
#define DAYS_PER_400_YEARS INT64_C(146097)
#define DAYS_TO_1970 INT64_C(719468) // from 0000-03-01

static int64_t divide_down(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

// Sets the date of a day that is counted from 1970-01-01.
static void set_date(struct tm *tm, int64_t day)
{
    const int64_t from_0 = day + DAYS_TO_1970;
    const int64_t cycle = divide_down(from_0, DAYS_PER_400_YEARS);
    const int in_cycle = (int)(from_0 - cycle * DAYS_PER_400_YEARS);
    const int year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
    const int in_year = in_cycle - (365 * year + year / 4 - year / 100);
    const int month = (5 * in_year + 2) / 153; // from March; five months have 153 days
    tm->tm_mday = in_year - (153 * month + 2) / 5 + 1;
    tm->tm_mon = (month + 2) % 12;
    tm->tm_year = (int)(cycle * 400) + year + (month >= 10) - 1900;
}

// gmtime_r takes three times as long, and every answer and log line has times.
static struct tm in_utc(int64_t time_us)
{
    const int64_t at_s = divide_down(time_us, US_PER_S);
    const int64_t day = divide_down(at_s, S_PER_DAY);
    const int in_day_s = (int)(at_s - day * S_PER_DAY);
    struct tm tm = {.tm_hour = in_day_s / 3600, .tm_min = in_day_s / 60 % 60, .tm_sec = in_day_s % 60};
    set_date(&tm, day);
    return tm;
}

// Writes a character and two digits, and returns where they end. snprintf would cost ten times as much.
static char *put_two(char *to, char before, int value)
{
    to[0] = before;
    to[1] = (char)('0' + value / 10);
    to[2] = (char)('0' + value % 10);
    return to + 3;
}

static char *put_year(char *to, int year)
{
    if (year < 0 || year > 9999) {
        return to + text_from_i64(year, to);
    }
    for (int i = 3; i >= 0; i--) {
        to[i] = (char)('0' + year % 10);
        year /= 10;
    }
    return to + 4;
}

// Writes the time to its second, with a 'Z', and returns where the 'Z' is.
static char *put_seconds(char *to, int64_t time_us)
{
    const struct tm tm = in_utc(time_us);
    to = put_year(to, tm.tm_year + 1900);
    to = put_two(to, '-', tm.tm_mon + 1);
    to = put_two(to, '-', tm.tm_mday);
    to = put_two(to, 'T', tm.tm_hour);
    to = put_two(to, ':', tm.tm_min);
    to = put_two(to, ':', tm.tm_sec);
    memcpy(to, "Z", sizeof("Z"));
    return to;
}

size_t time_format(int64_t time_us, char out[TIME_TEXT_BYTES])
{
    return (size_t)(put_seconds(out, time_us) + strlen("Z") - out);
}

void time_format_exact(int64_t time_us, char out[TIME_TEXT_BYTES])
{
    char *at = put_seconds(out, time_us);
    int fraction_us = (int)(time_us - divide_down(time_us, US_PER_S) * US_PER_S);
    *at = '.';
    for (int i = 6; i >= 1; i--) {
        at[i] = (char)('0' + fraction_us % 10);
        fraction_us /= 10;
    }
    memcpy(at + 7, "Z", sizeof("Z"));
}

int time_month(int64_t time_us)
{
    struct tm tm = in_utc(time_us);
    return (tm.tm_year + 1900) * 12 + tm.tm_mon + 1;
}

// Reads a number of exactly `digits` digits, from least to most, and moves *at past it.
static bool take_number(const char **at, int digits, int least, int most, int *value)
{
    int sum = 0;
    for (int i = 0; i < digits; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        sum = sum * 10 + (c - '0');
    }
    *at += digits;
    *value = sum;
    return sum >= least && sum <= most;
}

static bool take_char(const char **at, const char *any_of)
{
    if (**at == '\0' || strchr(any_of, **at) == NULL) {
        return false;
    }
    (*at)++;
    return true;
}

static bool take_date(const char **at, struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year;
    int month;
    if (!take_number(at, 4, 1970, 9999, &year) || !take_char(at, "-") || !take_number(at, 2, 1, 12, &month) ||
        !take_char(at, "-")) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int last = days[month - 1] + (month == 2 && leap ? 1 : 0);
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    return take_number(at, 2, 1, last, &tm->tm_mday);
}

static bool take_clock(const char **at, struct tm *tm)
{
    return take_number(at, 2, 0, 23, &tm->tm_hour) && take_char(at, ":") &&
           take_number(at, 2, 0, 59, &tm->tm_min) && take_char(at, ":") &&
           take_number(at, 2, 0, 59, &tm->tm_sec);
}

// An optional fraction; digits finer than a microsecond are dropped.
static bool take_fraction(const char **at, int64_t *fraction_us)
{
    *fraction_us = 0;
    if (!take_char(at, ".")) {
        return true;
    }
    int64_t digit_us = US_PER_S / 10;
    int digits = 0;
    while (**at >= '0' && **at <= '9') {
        *fraction_us += (**at - '0') * digit_us;
        digit_us /= 10;
        digits++;
        (*at)++;
    }
    return digits >= 1 && digits <= 9;
}

static bool take_offset(const char **at, int64_t *offset_s)
{
    *offset_s = 0;
    if (take_char(at, "Zz")) {
        return true;
    }
    bool west = **at == '-';
    int hours;
    int minutes;
    if (!take_char(at, "+-") || !take_number(at, 2, 0, 23, &hours) || !take_char(at, ":") ||
        !take_number(at, 2, 0, 59, &minutes)) {
        return false;
    }
    *offset_s = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
    return true;
}

enum errc time_parse(const char *text, int64_t *time_us, struct err *err)
{
    static const char expected[] =
        "a time like 2025-01-01T12:00:00Z or a date like 2025-01-01 is needed, from 1970 to 9999";
    if (text == NULL) {
        return err_set(err, ERR_VALIDATION, "%s", expected);
    }
    const char *at = text;
    struct tm tm = {0};
    int64_t fraction_us = 0;
    int64_t offset_s = 0;
    bool read = take_date(&at, &tm);
    if (read && *at != '\0') {
        read = take_char(&at, "Tt") && take_clock(&at, &tm) && take_fraction(&at, &fraction_us) &&
               take_offset(&at, &offset_s) && *at == '\0';
    }
    // An offset can move a time past either end of the range.
    static const int64_t seconds_end = INT64_C(253402300800); // 10000-01-01T00:00:00Z
    int64_t seconds = read ? (int64_t)timegm(&tm) - offset_s : -1;
    if (seconds < 0 || seconds >= seconds_end) {
        return err_set(err, ERR_VALIDATION, "%s", expected);
    }
    *time_us = seconds * US_PER_S + fraction_us;
    return OK;
}

enum errc time_parse_http(const char *text, int64_t *time_us, struct err *err)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = {0};
    int year = 0;
    // The weekday follows from the date, so it is not read.
    const char *at = strnlen(text, HTTP_DATE_CHARS + 1) == HTTP_DATE_CHARS ? text + strlen("Sun, ") : "";
    bool read = take_number(&at, 2, 1, 31, &tm.tm_mday) && take_char(&at, " ");
    const char *month = read ? memmem(months, strlen(months), at, 3) : NULL;
    at += month != NULL ? 3 : 0;
    read = month != NULL && (month - months) % 3 == 0 && take_char(&at, " ") &&
           take_number(&at, 4, 1970, 9999, &year) && take_char(&at, " ") && take_clock(&at, &tm) &&
           strcmp(at, " GMT") == 0;
    if (!read) {
        return err_set(err, ERR_VALIDATION, "a date like Sun, 06 Nov 1994 08:49:37 GMT is needed");
    }
    tm.tm_mon = (int)(month - months) / 3;
    tm.tm_year = year - 1900;
    *time_us = (int64_t)timegm(&tm) * US_PER_S;
    return OK;
}
