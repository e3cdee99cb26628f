// PaymentIntents: their calls, and the moves between their states.
// https://docs.stripe.com/payments/paymentintents/lifecycle
#pragma once

#include <stdbool.h>

#include "sandbox/call.h"
#include "sandbox/intent_shared.h"
#include "sandbox/methods.h"

// The calls (intent_calls.c, intent_create.c, intent_retrieve.c).
void intent_create(struct call *call);
void intent_retrieve(struct call *call);
void intent_update(struct call *call);
void intent_confirm(struct call *call);
void intent_capture(struct call *call);
void intent_cancel(struct call *call);
// And those that read many (intent_lists.c).
void intent_list(struct call *call);
void intent_search(struct call *call);

// How a confirmation is asked for.
struct confirmation {
    bool off_session;
    bool error_on_requires_action;
    bool use_stripe_sdk;
    const char *return_url; // NULL: none
};

// The moves (intent_moves.c). Each saves what it changes and emits its events.

// Reads confirmation from the call's parameters and confirms the intent with the method, or refuses; then
// answers.
void intent_attempt(struct call *call, struct document *intent, struct document *method);
// The payer has come through (or failed) 3-D Secure. The intent must be in requires_action.
void intent_authenticated(const struct context *context, struct document *intent, bool passed);
// A processing intent comes to its end.
void intent_settle(const struct context *context, const char *id);
