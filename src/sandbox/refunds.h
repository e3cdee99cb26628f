// Refunds: their calls, and the moves between their states.
// https://docs.stripe.com/refunds
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/call.h"

void refund_create(struct call *call);
void refund_call_update(struct call *call);
void refund_cancel(struct call *call);
// GET /v1/charges/{id}/refunds
void charge_refund_list(struct call *call);

// The moves. Each saves what it changes and emits its events.

// A new Refund of this much of the charge, not made yet. reason: NULL for none.
void refund_begin(const struct context *context, const struct document *charge, int64_t amount,
                  const char *reason, struct document *refund);
// Makes it: the charge counts it from now on, and what its card does to refunds takes its course.
void refund_make(const struct context *context, struct document *charge, struct document *refund);
// Lets go of authorised money that will not be captured. Stripe tells of it as of a refund, Refund object
// included.
void refund_release(const struct context *context, struct document *charge, int64_t amount);
// Moves it to another status, of which the charge's figures follow. False: there is no way from here to
// there.
bool refund_move(const struct context *context, struct document *refund, const char *status) MUST_CHECK;
// A refund comes to what it was to become.
void refund_settle(const struct context *context, const char *id);
