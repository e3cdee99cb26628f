// Trouble on demand: what POST /_sandbox/faults sets. All off at first. Its own pseudo-random numbers, so
// that a seed repeats a run of faults whatever ids were made in between.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

struct faults {
    int64_t latency_ms;
    double error_rate;
    int64_t error_status;
    double drop_before_rate;
    double drop_after_rate;
    double duplicate_events_rate;
    double reorder_events_rate;
    int64_t hold_events_ms;
    int64_t seed;
    uint64_t state; // of the generator
};

// Whether this time it happens. rate 0 to 1.
bool faults_roll(struct faults *faults, double rate);
// How long after the event one delivery of it is due.
int64_t faults_delivery_delay_us(struct faults *faults);

// Changes the settings named in the object, all or none. ERR_BAD_REQUEST names the bad one.
enum errc faults_change(struct faults *faults, struct json_object *wanted, struct err *err) MUST_CHECK;
struct json_object *faults_json(const struct faults *faults);
