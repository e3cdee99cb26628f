// SetupIntents: a card made ready to be charged while its holder is away. Their calls, and the moves between
// their states. https://docs.stripe.com/payments/setup-intents
#pragma once

#include <stdbool.h>

#include "sandbox/call.h"

// The calls (setup_intent_calls.c).
void setup_intent_create(struct call *call);
void setup_intent_retrieve(struct call *call);
void setup_intent_update(struct call *call);
void setup_intent_confirm(struct call *call);
void setup_intent_cancel(struct call *call);
void setup_intent_list(struct call *call);
// GET /v1/setup_attempts
void setup_attempt_list(struct call *call);

// The moves (setup_intent_moves.c). Each saves what it changes and emits its events.

// Reads return_url and use_stripe_sdk from the call and confirms the intent with the method, or refuses; then
// answers.
void setup_intent_attempt(struct call *call, struct document *intent, struct document *method);
// The payer has passed or failed 3-D Secure. The intent must be in requires_action.
void setup_intent_authenticated(const struct context *context, struct document *intent, bool passed);
// A processing intent ends.
void setup_intent_settle(const struct context *context, const char *id);
// Gives up an intent that is neither done nor processing.
void setup_intent_abandon(const struct context *context, struct document *intent, const char *reason);
