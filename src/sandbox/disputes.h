// Disputes: a payer's bank takes money back. A charge of certain test cards is disputed a while later.
// https://docs.stripe.com/api/disputes
#pragma once

#include <stdbool.h>

#include "sandbox/call.h"

void dispute_close(struct call *call);

// The charge was captured: schedules its dispute, if the method is one of those.
void dispute_expect(const struct context *context, const struct document *method,
                    const struct document *charge);
// Whether the charge's dispute forbids a refund. An inquiry does not, nor does a dispute that was won.
bool dispute_bars_refund(const struct context *context, const struct document *charge);
// Opens a dispute of the charge, unless all of it is refunded. Saves and emits.
void dispute_begin(const struct context *context, const char *charge_id);
// Moves it to another status. Saves and emits. False: the present status does not allow that.
bool dispute_move(const struct context *context, struct document *dispute, const char *status) MUST_CHECK;
