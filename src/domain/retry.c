// See retry.h. Delays are integers that saturate at their cap, whatever the number of attempts. Any thread.
#include "domain/retry.h"

#include "base/require.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

#define PROVIDER_FIRST_US (SECOND_US / 2)
#define PROVIDER_LEAST_US (SECOND_US / 4)
#define RETRY_AFTER_MAX_US DAY_US
#define SCHEDULE_ITEM_MAX_S 604800

// From 0 up to, not including, percent of whole_us. 128 bits: a week in microseconds times random32 needs 72.
static int64_t random_share(int64_t whole_us, int percent, uint32_t random32)
{
    return (int64_t)(((__int128)whole_us * percent / 100 * random32) >> 32);
}

int64_t retry_provider_delay_us(int attempts, int64_t cap_us, uint32_t random32)
{
    REQUIRE(attempts >= 1 && cap_us > 0);
    int64_t delay_us = PROVIDER_FIRST_US < cap_us ? PROVIDER_FIRST_US : cap_us;
    for (int made = 1; made < attempts && delay_us < cap_us; made++) {
        delay_us = delay_us <= cap_us / 2 ? delay_us * 2 : cap_us;
    }
    int64_t jittered_us = delay_us - delay_us / 2 + random_share(delay_us, 50, random32);
    return jittered_us < PROVIDER_LEAST_US ? PROVIDER_LEAST_US : jittered_us;
}

int64_t retry_check_delay_us(int64_t age_us, uint32_t random32)
{
    age_us = age_us < 0 ? -age_us : age_us;
    static const int64_t first_us[] = {10 * SECOND_US, MINUTE_US, 5 * MINUTE_US, 30 * MINUTE_US};
    int64_t delay_us = age_us < DAY_US ? HOUR_US : DAY_US;
    int64_t until_us = 0;
    for (size_t i = 0; i < COUNT_OF(first_us); i++) {
        if (age_us < until_us + first_us[i]) {
            delay_us = first_us[i];
            break;
        }
        until_us += first_us[i];
    }
    return delay_us + random_share(delay_us, 10, random32);
}

int64_t retry_aside_delay_us(int64_t now_us, int64_t since_us)
{
    bool known = since_us >= 0 && since_us <= now_us;
    int64_t delay_us = known ? retry_check_delay_us(now_us - since_us, 0) : HOUR_US;
    return delay_us < HOUR_US ? delay_us : HOUR_US;
}

// Reads a number at *text and moves past it. -1: there is none from 1 to SCHEDULE_ITEM_MAX_S.
static int64_t take_seconds(const char **text)
{
    int64_t seconds = 0;
    while (**text >= '0' && **text <= '9') {
        seconds = seconds * 10 + (**text - '0');
        if (seconds > SCHEDULE_ITEM_MAX_S) {
            return -1;
        }
        (*text)++;
    }
    return seconds > 0 ? seconds : -1;
}

enum errc retry_schedule_parse(const char *text, struct retry_schedule *schedule, struct err *err)
{
    REQUIRE(text != NULL);
    struct retry_schedule parsed = {.count = 0};
    for (const char *rest = text;; rest++) {
        if (parsed.count == RETRY_SCHEDULE_MAX) {
            return err_set(err, ERR_CONFIG, "must have at most %d delays", RETRY_SCHEDULE_MAX);
        }
        int64_t seconds = take_seconds(&rest);
        if (seconds < 0 || (*rest != ',' && *rest != '\0')) {
            return err_set(err, ERR_CONFIG,
                           "must be delays in seconds, each from 1 to %d, separated by commas, such as 5,300",
                           SCHEDULE_ITEM_MAX_S);
        }
        parsed.delay_us[parsed.count++] = seconds * SECOND_US;
        if (*rest == '\0') {
            *schedule = parsed;
            return OK;
        }
    }
}

bool retry_webhook_delay_us(const struct retry_schedule *schedule, int attempts, int64_t retry_after_us,
                            uint32_t random32, int64_t *delay_us)
{
    REQUIRE(attempts >= 1 && retry_after_us >= 0);
    if ((size_t)attempts > schedule->count) {
        return false;
    }
    int64_t planned_us = schedule->delay_us[attempts - 1];
    planned_us += random_share(planned_us, 20, random32);
    int64_t asked_us = retry_after_us < RETRY_AFTER_MAX_US ? retry_after_us : RETRY_AFTER_MAX_US;
    *delay_us = asked_us > planned_us ? asked_us : planned_us;
    return true;
}
