// SetupIntents: each makes a card ready to be charged while its holder is away. Their calls, and their moves
// between states. https://docs.stripe.com/payments/setup-intents
#pragma once

#include <stdbool.h>

#include "sandbox/call.h"

void setup_intent_create(struct call *call);
void setup_intent_update(struct call *call);
void setup_intent_confirm(struct call *call);
void setup_intent_cancel(struct call *call);

// The payer has passed or failed 3-D Secure. The intent must be in requires_action. Saves and emits.
void setup_intent_authenticated(const struct context *context, struct document *intent, bool passed);
// Ends the processing of an intent. Saves and emits.
void setup_intent_settle(const struct context *context, const char *id);
