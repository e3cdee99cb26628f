// Jobs that are due at a time, as objects of an account, so that they outlive a restart. run_jobs.c runs
// them.
#pragma once

#include <stdint.h>

#include "sandbox/state.h"

enum job_kind {
    JOB_DELIVER,
    JOB_SETTLE,  // a processing intent
    JOB_SETUP,   // a processing setup intent
    JOB_REFUND,  // a refund that changes its status by itself
    JOB_DISPUTE, // a charge that will be disputed
    JOB_KIND_COUNT
};

// Takes task, which holds what the kind needs.
void job_add(const struct context *context, enum job_kind kind, int64_t due_us, struct json_object *task);
// The same, for a job that needs only an object's id, its "about".
void job_add_about(const struct context *context, enum job_kind kind, int64_t due_us, const char *id);
// Saves the job, and makes it due again at due_us.
void job_postpone(const struct context *context, struct document *job, int64_t due_us);
// JOB_KIND_COUNT: a kind that this version does not know.
enum job_kind job_kind_of(const struct document *job);
