// Limits a log line to one an hour, with a count of how often its reason came up. One thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hourly {
    int64_t count; // since it was logged
    int64_t logged_us;
    bool logged;
};

// Whether it was logged within the last hour. `now_us` is monotonic.
static inline bool hourly_is_logged(const struct hourly *hourly, int64_t now_us)
{
    return hourly->logged && now_us - hourly->logged_us < INT64_C(3600000000);
}

// How often it came up since it was last logged; the caller logs it now. 0: there is nothing to log yet.
static inline int64_t hourly_take(struct hourly *hourly, int64_t now_us)
{
    int64_t count = hourly->count;
    if (count == 0 || hourly_is_logged(hourly, now_us)) {
        return 0;
    }
    *hourly = (struct hourly){.logged_us = now_us, .logged = true};
    return count;
}
