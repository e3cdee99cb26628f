// What every part of a simulated run shares: one virtual clock, one source of chance, one queue of what is to
// happen, and the counts and the log that are left. A run depends on its seed alone. One thread.
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
    int64_t kills, power_losses, disk_failures, clock_steps;
    int64_t requests_lost, answers_lost, requests_doubled, answers_cut, provider_errors, late_answers;
    int64_t connections, connects_slow, connects_failed;
    int64_t connections_cut, connections_silent, connections_sent_away;
    int64_t calls_cut, calls_refused, calls_refused_for_good, calls_too_late;
    int64_t endpoint_failures, events_lost, hang_ups;
    int64_t faults_stored, refunds_bare, refunds_in_place;
    int64_t violations;
};

struct world {
    uint64_t seed;
    int64_t now_us; // since the run began; never goes back
    uint64_t random_state;
    struct random random; // the service's and the provider's
    struct counts counts;
    bool faults_off;      // no more faults: what was begun comes to its end
    bool clock_was_far;   // off by more than Stripe's signatures may be old
    bool dashboard;       // people refund there too, who know nothing of what is reserved here
    const char *mutation; // NULL: none
    bool verbose;
};

extern struct world world;

void world_begin(uint64_t seed, const char *mutation, bool verbose);
// Calls `run` after delay_us with what it is about. First come, first served among equal times.
void world_after(int64_t delay_us, void (*run)(void *context), void *context);
int64_t world_next_us(void); // when the next of these is due; INT64_MAX: never
void world_run_next(void);

// From 0 to below - 1.
uint64_t random_below(uint64_t below);
// True once in `in` times, and never when the world is calm.
bool fault_one_in(uint64_t in);
int64_t random_between(int64_t least, int64_t most);

bool mutated(const char *mutation);

// One line of what happened, printed where the run is told.
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
// A promise is broken.
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
