// How often something may be done: at most so many times in any second, evenly. Pure: the caller brings the
// time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// Requests a second that an account may make, by its mode; 0: as many as it likes.
struct pace_rates {
    int64_t test;
    int64_t live;
};
// "25,100": test and live, each 1 to 10000; or "off". ERR_CONFIG.
enum errc pace_rates_parse(const char *text, struct pace_rates *rates, struct err *err) MUST_CHECK;

struct pace {
    int64_t next_us; // when the next one may be done
};

// What lies between two of them, where they do not stop. 0: nothing, at rate 0.
int64_t pace_interval_us(int64_t rate);
// How long the next must wait; 0: it may be done now.
int64_t pace_wait_us(const struct pace *pace, int64_t now_us);
// One is done. Those of a moment before that were not done may be made up for, but never so many that any
// second sees more than `rate`.
void pace_take(struct pace *pace, int64_t rate, int64_t now_us);
