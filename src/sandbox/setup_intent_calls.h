// The calls of SetupIntents: a SetupIntent makes a card ready to be charged while its holder is away.
// https://docs.stripe.com/api/setup_intents
#pragma once

#include "sandbox/call.h"

void setup_intent_create(struct call *call);
void setup_intent_update(struct call *call);
void setup_intent_confirm(struct call *call);
void setup_intent_cancel(struct call *call);
