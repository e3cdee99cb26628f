// Faults on demand, set by POST /_sandbox/faults. All are off at first. They have pseudo-random numbers of
// their own, so that a seed repeats the same faults whatever ids are made in between.
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

// Whether the fault happens this time. rate: 0 to 1.
bool faults_roll(struct faults *faults, double rate);
// The delay from an event to a delivery of it.
int64_t faults_delivery_delay_us(struct faults *faults);

// Changes the settings that the object names, all or none. ERR_BAD_REQUEST names the wrong one.
enum errc faults_change(struct faults *faults, struct json_object *wanted, struct err *err) MUST_CHECK;
struct json_object *faults_json(const struct faults *faults);
