// The moves of a SetupIntent between its states. Each saves what it changes and emits its events.
// https://docs.stripe.com/payments/setup-intents
#pragma once

#include <stdbool.h>

#include "sandbox/call.h"

// Confirms the intent with the method as the call's parameters say, or refuses; then answers the call.
void setup_intent_attempt(struct call *call, struct document *intent, struct document *method);
// The payer has passed or failed 3-D Secure. The intent must be in requires_action.
void setup_intent_authenticated(const struct context *context, struct document *intent, bool passed);
// Ends the processing of an intent.
void setup_intent_settle(const struct context *context, const char *id);
// Cancels an intent that is neither done nor processing.
void setup_intent_abandon(const struct context *context, struct document *intent, const char *reason);
