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

// Releases authorised money that will not be captured. Stripe reports that as a refund, with a Refund object.
void refund_release(const struct context *context, struct document *charge, int64_t amount);
// Moves it to another status, and corrects the charge's amounts. False: the present status does not allow
// that.
bool refund_move(const struct context *context, struct document *refund, const char *status) MUST_CHECK;
// Moves a refund to the status that its test card scheduled.
void refund_settle(const struct context *context, const char *id);
