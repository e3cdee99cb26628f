// Charges: one for every attempt to take an intent's money, also those that failed.
#pragma once

#include "sandbox/state.h"
#include "sandbox/test_methods.h"

// A new one for the intent, not saved: not captured, neither succeeded nor failed yet.
void charge_begin(const struct context *context, const struct document *intent, const struct document *method,
                  struct document *charge);
void charge_succeed(struct document *charge, bool captured);
void charge_fail(struct document *charge, const struct decline *decline);
// Once, of an authorised one: takes this much. The rest is to be released (refund_release).
void charge_capture(struct document *charge, int64_t amount);
// What of it is neither refunded nor released.
int64_t charge_unrefunded(const struct document *charge);
// Counts this much as refunded; less than 0: a refund has failed.
void charge_refund(struct document *charge, int64_t amount);
