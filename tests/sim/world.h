// What every part of a simulated run shares: the virtual clock, the random numbers, the queue of scheduled
// calls, the counts and the log. A run depends only on its seed. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/timefmt.h"
#include "base/uuid.h"

#define WORLD_START_US (INT64_C(1800000000) * US_PER_S)

struct counts {
    int64_t payments, refunds, captures, cancels, cards, answers, replays;
    int64_t provider_calls, provider_events, merchant_events;
    int64_t kills, power_losses, disk_failures, failed_commits, clock_steps;
    int64_t requests_lost, answers_lost, requests_doubled, answers_cut, provider_errors, late_answers;
    int64_t connections, connects_slow, connects_failed;
    int64_t connections_cut, connections_silent, goaways;
    int64_t calls_cut, calls_refused, calls_refused_for_good, calls_too_late;
    int64_t endpoint_failures, events_lost, hang_ups;
    int64_t faults_stored, refunds_stripped, refunds_in_place;
    int64_t violations, crashes;
};

struct world {
    uint64_t seed;
    int64_t now_us; // since the run began; never goes backwards
    uint64_t random_state;
    struct random random; // used by the service and by the fake Stripe
    struct counts counts;
    bool faults_off;      // no fault happens; everything that was started completes
    bool clock_was_far;   // it was off by more than a Stripe signature's maximum age
    bool dashboard;       // people also refund at Stripe's dashboard, without our reservations
    const char *mutation; // NULL: none
    bool verbose;
};

extern struct world world;

void world_begin(uint64_t seed, const char *mutation, bool verbose);
// Calls `run` with its context after delay_us. Calls that are due at the same time run in the order of
// scheduling.
void world_after(int64_t delay_us, void (*run)(void *context), void *context);
// When the next scheduled call is due; INT64_MAX: there is none.
int64_t world_next_us(void);
void world_run_next(void);

// A random number from 0 to below - 1.
uint64_t random_below(uint64_t below);
// A random number from min to max, both included.
int64_t random_between(int64_t min, int64_t max);
// True with a chance of 1 in `n`; always false while faults are off.
bool fault_one_in(uint64_t n);

// Whether the run has this planted mistake.
bool mutated(const char *mutation);

// Prints one line of the run's log, if the run is verbose.
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Reports a broken promise.
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
