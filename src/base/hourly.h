// A trouble that goes on is told once an hour, with how often it came. One thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hourly {
    int64_t count; // since it was told
    int64_t told_us;
    bool told;
};

// Whether it was told within the hour. `now_us` is monotonic.
static inline bool hourly_is_told(const struct hourly *hourly, int64_t now_us)
{
    return hourly->told && now_us - hourly->told_us < INT64_C(3600000000);
}

// How often it came since it was last told; 0: it is too early to tell it again.
static inline int64_t hourly_take(struct hourly *hourly, int64_t now_us)
{
    int64_t count = hourly->count;
    if (count == 0 || hourly_is_told(hourly, now_us)) {
        return 0;
    }
    *hourly = (struct hourly){.told_us = now_us, .told = true};
    return count;
}
