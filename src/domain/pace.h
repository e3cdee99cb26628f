// A rate limit: at most so many calls in any second, evenly spread. Pure: the caller gives the time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// Requests per second of an account, by mode; 0: no limit.
struct pace_rates {
    int64_t test;
    int64_t live;
};
// "25,100": test and live, each 1 to 10000; or "off". ERR_CONFIG.
enum errc pace_rates_parse(const char *text, struct pace_rates *rates, struct err *err) MUST_CHECK;

// What each of so many nodes may use of a rate, so that together they keep it. With more nodes than calls a
// second, each makes one a second. 0 stays 0: no limit.
int64_t pace_share(int64_t rate, int64_t nodes);

struct pace {
    int64_t next_us; // when the next call may be made
};

// The time between two calls at full rate; 0 at rate 0.
int64_t pace_interval_us(int64_t rate);
// How long the next call must wait; 0: it may be made now.
int64_t pace_wait_us(const struct pace *pace, int64_t now_us);
// A call is made. Calls that were late by a moment may be made up for, but never so that any second sees more
// than `rate`.
void pace_take(struct pace *pace, int64_t rate, int64_t now_us);
