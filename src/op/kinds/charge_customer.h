// The customer of a payment that saves its card. The charge names him, so where the provider does not have
// him yet he is made first, as a step before the charge of the same operation. Database threads.
#pragma once

#include "op/engine/op.h"

// Chooses the customer: payment->customer_id. Before charge_prepare.
enum errc charge_customer_choose(struct engine *engine, struct tx *tx, struct payment *payment,
                                 struct err *err) MUST_CHECK;
// For an operation without a body, which was not sent yet: writes the charge's body where the provider has
// the customer, else plans the call that makes him.
enum errc charge_customer_plan(struct op *op, struct tx *tx, struct payment *payment,
                               struct err *err) MUST_CHECK;
// What the answer to that call means. Where the customer cannot be made the payment is failed: nothing was
// charged.
enum errc charge_customer_settle(struct op *op, struct tx *tx, struct payment *payment,
                                 struct err *err) MUST_CHECK;
// The provider refused the charge, since it does not know the customer.
enum errc charge_customer_missing(const struct op *op, struct tx *tx, const struct payment *payment,
                                  struct err *err) MUST_CHECK;
