// Refunds: beginning one (refund.c), and reading the provider's list of a payment's refunds (refund_list.c).
// Database threads.
#pragma once

#include "domain/refund.h"
#include "op/engine/op.h"

// Writes the refund, pending, which reserves its amount, and its operation with the exact body that will be
// sent. *op is run once the transaction is committed. The caller has checked, in this transaction, that this
// much is left to refund.
enum errc refund_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                         const struct refund *refund, struct op **op, struct err *err) MUST_CHECK;

// After a partial capture, the provider also lists the released rest of the authorisation as a refund, though
// no money moved. Returns it from op's list: the oldest one of just that amount without an id of ours. NULL:
// none.
const struct provider_refund *refunds_find_uncaptured(const struct op *op, const struct payment *payment);
