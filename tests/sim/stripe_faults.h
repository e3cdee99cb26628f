// What Stripe does at times, and the sandbox never: a fault that is stored under the key of a new customer,
// and refunds that do not say who asked for them.
#pragma once

#include "fake_stripe.h"

// Whether the answer to this request is a fault that is stored under its key, or is to be from now on;
// *carries_out: it is carried out all the same.
bool stripe_faults_stored(const struct stripe_request *request, struct stripe_reply *reply,
                          bool *carries_out);
// An answer's or an event's body, where some refunds are without their metadata. In the arena, or as it was.
const char *stripe_faults_bare(const char *body, struct arena *arena);
// The signature of a body that was changed, at the time of the one that it had.
const char *stripe_faults_sign(const char *signature, const char *body, struct arena *arena);
