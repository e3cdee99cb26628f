// Disputes: a payer's bank takes money back. They come by themselves, a while after a charge of a test card
// that is made for it.
// https://docs.stripe.com/api/disputes
#pragma once

#include <stdbool.h>

#include "sandbox/call.h"

void dispute_close(struct call *call);

// The charge is captured: if the method is one of those, its dispute is on its way.
void dispute_expect(const struct context *context, const struct document *method,
                    const struct document *charge);
// Whether the charge's dispute stands against a refund; an inquiry or one that was won does not.
bool dispute_bars_refund(const struct context *context, const struct document *charge);
// The dispute of the charge of that id begins, if there is still money in it. Saves and emits.
void dispute_begin(const struct context *context, const char *charge_id);
// Moves it to another status. Saves and emits. False: there is no way from here to there.
bool dispute_move(const struct context *context, struct document *dispute, const char *status) MUST_CHECK;
