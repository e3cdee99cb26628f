// The calls of PaymentMethods. https://docs.stripe.com/api/payment_methods
#pragma once

#include "sandbox/call.h"

extern const struct param method_create_params[];
extern const struct param method_update_params[];

// POST /v1/payment_methods with a test token ("tok_visa"). Card numbers are refused, as Stripe does by
// default.
void method_create(struct call *call);
// POST /v1/payment_methods/{id}; the method must be attached.
void method_update(struct call *call);
void method_list(struct call *call);
void method_attach(struct call *call);
void method_detach(struct call *call);
// GET /v1/customers/{id}/payment_methods, and one of these.
void customer_method_list(struct call *call);
void customer_method_retrieve(struct call *call);
