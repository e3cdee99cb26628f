// The calls of PaymentIntents. https://docs.stripe.com/api/payment_intents
#pragma once

#include "sandbox/call.h"

void intent_create(struct call *call);
void intent_update(struct call *call);
void intent_confirm(struct call *call);
void intent_capture(struct call *call);
void intent_cancel(struct call *call);
void intent_search(struct call *call);
