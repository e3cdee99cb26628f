// When to try again: every schedule of the service. Pure: the caller gives the random number for jitter.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

// Provider attempts with an unknown outcome. attempts >= 1 were made; the delay doubles from 0.5 s to cap_us,
// then is multiplied by a factor of 0.5 to 1.0 (random32 over its range), as providers' own SDKs do. Never
// under 0.25 s.
int64_t retry_provider_delay_us(int attempts, int64_t cap_us, uint32_t random32);

// When to check again an outcome that takes its time: after 10 s, then 1, 5 and 30 minutes later, then
// hourly, and after a day daily, plus up to 10 % jitter. The delay depends on the age alone, not on the
// number of checks before. A negative age means that the clock was ahead by that much when the operation
// began: its real age is unknown, so its absolute value counts.
int64_t retry_check_delay_us(int64_t age_us, uint32_t random32);

// When to try again a row that is set aside because something is damaged: later and later by its age since
// since_us, and at least hourly, because somebody may repair it. since_us may be damaged too, so any value is
// accepted.
int64_t retry_aside_delay_us(int64_t now_us, int64_t since_us);

// The merchant's webhook schedule: the delay after each attempt, plus up to 20 % jitter.
#define RETRY_SCHEDULE_MAX 32
struct retry_schedule {
    int64_t delay_us[RETRY_SCHEDULE_MAX];
    size_t count;
};
// "5,300,1800": seconds, each 1 to 604800. ERR_CONFIG.
enum errc retry_schedule_parse(const char *text, struct retry_schedule *schedule, struct err *err) MUST_CHECK;
// The delay after so many attempts (>= 1). False: the schedule has ended, and the event is dead. A longer
// retry_after_us (0: none) is honoured, up to 24 h.
bool retry_webhook_delay_us(const struct retry_schedule *schedule, int attempts, int64_t retry_after_us,
                            uint32_t random32, int64_t *delay_us);
