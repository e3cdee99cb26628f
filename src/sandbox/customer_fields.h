// What the parameters of a customer's creation and update change in it.
#pragma once

#include <stdbool.h>

#include "sandbox/call.h"

extern const struct param customer_create_params[];
extern const struct param customer_update_params[];

// Apply the call's parameters. False: refused.
bool customer_set_fields(struct call *call, struct document *customer) MUST_CHECK;
// method: the one that the creation attaches, empty if it attaches none.
bool customer_set_default_method(struct call *call, struct document *customer,
                                 const struct document *method) MUST_CHECK;
