// Reading what Stripe answered: untrusted bytes to a struct provider_answer. Pure; any thread.
#pragma once

#include <json-c/json.h>

#include "provider/provider.h"

// Reads the finished HTTP call of call->verb into call->answer.
void stripe_answer_read(struct provider_call *call);

// A PaymentIntent object to neutral terms. False where it is not one (no id). Text is copied into the arena.
bool stripe_intent_read(struct json_object *object, struct arena *arena, struct intent *intent);
