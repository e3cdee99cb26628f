// Customers. A deleted customer stays as a stub that says so, as at Stripe.
// https://docs.stripe.com/api/customers
#pragma once

#include <stdbool.h>

#include "sandbox/call.h"

extern const struct param customer_create_params[];
extern const struct param customer_update_params[];

void customer_create(struct call *call);
void customer_update(struct call *call);
void customer_delete(struct call *call);
void customer_list(struct call *call);
void customer_search(struct call *call);

// The method is detached: the customer does not have it as the default any more. Saves and emits.
void customer_forget_method(const struct context *context, const char *customer_id, const char *method_id);
// Whether the customer exists; id NULL passes. False: *refusal is filled.
bool customer_check(const struct context *context, const char *id, struct refusal *refusal) MUST_CHECK;
// The same for the parameter customer of the call. False: refused.
bool customer_check_given(struct call *call) MUST_CHECK;
