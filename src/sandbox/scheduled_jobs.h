// Errands as objects of an account, so that they outlive a restart, and what each kind does when it is due.
#pragma once

#include <stdint.h>

#include "base/json.h"

enum job_kind {
    JOB_DELIVER,
    JOB_SETTLE,  // a processing intent
    JOB_SETUP,   // a processing setup intent
    JOB_REFUND,  // a refund that does not stay as it was made
    JOB_DISPUTE, // a charge that is going to be disputed
};

struct sandbox;
struct account;
struct context;
struct document;

// Takes task, which holds what the kind needs.
void job_add(const struct context *context, enum job_kind kind, int64_t due_us, struct json_object *task);
// One whose task is to go on with the object of that id.
void job_add_about(const struct context *context, enum job_kind kind, int64_t due_us, const char *id);
// Saves it, due again then.
void job_postpone(const struct context *context, struct document *job, int64_t due_us);
// Back from the journal: text as stored.
void job_restore(struct sandbox *sandbox, const struct account *account, const char *id, const char *text);
