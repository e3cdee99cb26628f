// PaymentMethods that are kept: attached to a customer, and detached from it for good.
// https://docs.stripe.com/api/payment_methods/attach
#pragma once

#include "sandbox/call.h"

void method_attach(struct call *call);
void method_detach(struct call *call);
void method_list(struct call *call);
// GET /v1/customers/{id}/payment_methods, and one of them.
void customer_method_list(struct call *call);
void customer_method_retrieve(struct call *call);

// The method that a caller names (a test card makes a new one), ready to be attached to the customer. False:
// refused, because there is none, another customer has it, or its bank declines.
bool saved_method_find(struct call *call, const char *id, const char *customer_id,
                       struct document *method) MUST_CHECK;
// Attaches one that belongs to nobody and may still be used. Saves and emits.
void saved_method_attach(const struct context *context, struct document *method, const char *customer_id);
// The customer is deleted: its methods are detached, of which no event tells.
void saved_methods_forget(const struct context *context, const char *customer_id);
// The card's bank has replaced it: takes exp_month, exp_year, last4, brand from wanted. Saves and emits.
void saved_method_replace_card(const struct context *context, struct document *method,
                               struct json_object *wanted);
