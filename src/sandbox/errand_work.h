// Errands as objects of an account, so that they outlive a restart, and what each kind does when it is due.
#pragma once

#include <stdint.h>

#include "base/json.h"

enum errand_kind {
    ERRAND_DELIVER,
    ERRAND_SETTLE,  // a processing intent
    ERRAND_SETUP,   // a processing setup intent
    ERRAND_REFUND,  // a refund that does not stay as it was made
    ERRAND_DISPUTE, // a charge that is going to be disputed
};

struct sandbox;
struct account;
struct moment;
struct document;

// Takes task, which holds what the kind needs.
void errand_add(const struct moment *at, enum errand_kind kind, int64_t due_us, struct json_object *task);
// One whose task is to go on with the object of that id.
void errand_add_about(const struct moment *at, enum errand_kind kind, int64_t due_us, const char *id);
// Saves it, due again then.
void errand_postpone(const struct moment *at, struct document *errand, int64_t due_us);
// Back from the journal: text as stored.
void errand_restore(struct sandbox *sandbox, const struct account *account, const char *id, const char *text);
