// When to try again: every schedule of the service. Pure: jitter comes in as a random number.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

// Provider attempts with an unknown outcome. attempts >= 1 were made; the delay doubles from 0.5 s to cap_us,
// then is multiplied by a factor of 0.5 to 1.0 (random32 over its range), as Stripe's own SDKs do. Never
// under 0.25 s.
int64_t retry_provider_delay_us(int attempts, int64_t cap_us, uint32_t random32);

// What is known to take its time is asked after 10 s, then 1, 5 and 30 minutes later, then hourly, after a
// day daily: the distance that belongs to its age, however often it was asked before. Plus up to 10 % jitter.
// A negative age is by how much the clock was ahead when it began: nobody knows its own, and it may be asked
// after until that time has come.
int64_t retry_check_delay_us(int64_t told_age_us, uint32_t random32);

// What cannot go on because something is damaged: later and later, as it has been there since since_us, and
// at least hourly, because somebody may have repaired it. Whatever since_us is: it may be damaged, too.
int64_t retry_aside_delay_us(int64_t now_us, int64_t since_us);

// The merchant's webhook schedule: the delay behind the attempts made so far (>= 1), with up to 20 % jitter
// added.
#define RETRY_SCHEDULE_MAX 32
struct retry_schedule {
    int64_t delay_us[RETRY_SCHEDULE_MAX];
    size_t count;
};
// "5,300,1800": seconds, each 1 to 604800. ERR_CONFIG.
enum errc retry_schedule_parse(const char *text, struct retry_schedule *schedule, struct err *err) MUST_CHECK;
// False: the schedule is used up, the event is dead. retry_after_us (0: none) is honoured where it is longer
// (at most 24 h).
bool retry_webhook_delay_us(const struct retry_schedule *schedule, int attempts, int64_t retry_after_us,
                            uint32_t random32, int64_t *delay_us);
