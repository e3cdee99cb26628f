// Behaviour of Stripe that the sandbox does not have: a fault that is stored under the key of a new customer,
// and refunds without the metadata that says who asked for them.
#pragma once

#include "base/arena.h"

enum stored_fault {
    FAULT_NONE,
    FAULT_STORED,              // now; the request is not carried out
    FAULT_STORED_AFTER_EFFECT, // now; the request is carried out all the same
    FAULT_REPLAYED,            // earlier; every repeat gets the same fault
};

// Whether the answer to a request is a fault that is stored under its idempotency key.
enum stored_fault stripe_faults_stored(const char *method, const char *target, const char *key);
// Removes the metadata of some refunds from the body of an answer or event. Returns the new body in the
// arena, or `body` itself if nothing changed.
const char *stripe_faults_strip_refunds(const char *body, struct arena *arena);
// Signs a changed body, with the timestamp of its earlier signature.
const char *stripe_faults_sign(const char *signature, const char *body, struct arena *arena);
