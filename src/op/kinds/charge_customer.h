// The customer of a payment that saves its card. The charge names the customer, so a customer that the
// provider does not have yet is made first, as an earlier step of the same operation. Database threads.
#pragma once

#include "op/engine/op.h"

// Fills in payment->customer_id. Called before charge_prepare.
enum errc charge_customer_choose(struct engine *engine, struct tx *tx, struct payment *payment,
                                 struct err *err) MUST_CHECK;
// For an operation without a body, so its charge was not sent yet. Writes the charge's body if the provider
// has the customer; if not, plans the call that makes the customer.
enum errc charge_customer_plan(struct op *op, struct tx *tx, struct payment *payment,
                               struct err *err) MUST_CHECK;
// Applies the answer to that call. If the customer cannot be made, the payment fails: nothing was charged.
enum errc charge_customer_settle(struct op *op, struct tx *tx, struct payment *payment,
                                 struct err *err) MUST_CHECK;
// The provider refused the charge because it does not know the customer.
enum errc charge_customer_missing(const struct op *op, struct tx *tx, const struct payment *payment,
                                  struct err *err) MUST_CHECK;
