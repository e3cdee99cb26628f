// Charges: one for each attempt to take an intent's money, failed attempts included.
#pragma once

#include "sandbox/state.h"
#include "sandbox/test_methods.h"

// A new charge for the intent, not saved. It is pending and not captured.
void charge_begin(const struct context *context, const struct document *intent, const struct document *method,
                  struct document *charge);
void charge_succeed(struct document *charge, bool captured);
void charge_fail(struct document *charge, const struct decline *decline);
// Captures this much of an authorised charge, once. The caller releases the rest (refund_release).
void charge_capture(struct document *charge, int64_t amount);
// The amount that is neither refunded nor released.
int64_t charge_unrefunded(const struct document *charge);
// Adds amount to what is refunded; it is negative when a refund failed.
void charge_refund(struct document *charge, int64_t amount);
