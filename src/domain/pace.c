// A token bucket that is only a time (the "generic cell rate algorithm"). It refills a little more slowly
// than `rate`, so that a full bucket and one second's refill together are no more than `rate`. Any thread.
#include "domain/pace.h"

#include "base/text.h"

#define SECOND_US INT64_C(1000000)
// Timers fire about a millisecond late. Calls that are late by no more than this are made up for.
#define CREDIT_US (SECOND_US / 20)
#define RATE_MAX 10000

static bool take_rate(const char **text, int64_t *rate)
{
    *rate = 0;
    while (**text >= '0' && **text <= '9' && *rate <= RATE_MAX) {
        *rate = *rate * 10 + (**text - '0');
        (*text)++;
    }
    return *rate >= 1 && *rate <= RATE_MAX;
}

enum errc pace_rates_parse(const char *text, struct pace_rates *rates, struct err *err)
{
    struct pace_rates parsed = {0};
    const char *rest = text;
    bool good = text_equal(text, "off") || (take_rate(&rest, &parsed.test) && *rest++ == ',' &&
                                            take_rate(&rest, &parsed.live) && *rest == '\0');
    if (!good) {
        return err_set(err, ERR_CONFIG,
                       "must be the requests per second in test and live mode, such as 25,100, each from 1 "
                       "to %d; or off",
                       RATE_MAX);
    }
    *rates = parsed;
    return OK;
}

int64_t pace_share(int64_t rate, int64_t nodes)
{
    return rate > 0 && rate < nodes ? 1 : rate / nodes;
}

int64_t pace_interval_us(int64_t rate)
{
    return rate == 0 ? 0 : (SECOND_US + CREDIT_US + rate - 1) / rate;
}

int64_t pace_wait_us(const struct pace *pace, int64_t now_us)
{
    return pace->next_us > now_us ? pace->next_us - now_us : 0;
}

void pace_take(struct pace *pace, int64_t rate, int64_t now_us)
{
    int64_t least_us = now_us - CREDIT_US;
    pace->next_us = (pace->next_us > least_us ? pace->next_us : least_us) + pace_interval_us(rate);
}
