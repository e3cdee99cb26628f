// A trouble that goes on is told once an hour, with how often it came. One thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hourly {
    int64_t count; // since it was told
    int64_t told_us;
    bool told;
};

// How often it came since it was last told; 0: it is too early to tell it again. `now_us` is monotonic.
static inline int64_t hourly_take(struct hourly *hourly, int64_t now_us)
{
    const int64_t hour_us = INT64_C(3600000000);
    int64_t count = hourly->count;
    if (count == 0 || (hourly->told && now_us - hourly->told_us < hour_us)) {
        return 0;
    }
    *hourly = (struct hourly){.told_us = now_us, .told = true};
    return count;
}
