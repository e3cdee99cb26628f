// Beginning a refund. Database thread, in the transaction of the request.
#pragma once

#include "domain/refund.h"
#include "op/engine/op.h"

// Reserves the refund's amount (pending) and keeps its operation with the exact body that will be sent; *op
// is run once the transaction is committed. The caller has checked, in this transaction, that so much is
// left.
enum errc refund_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                         const struct refund *refund, struct op **op, struct err *err) MUST_CHECK;

// Of an authorisation that was captured in part Stripe lists what it let go as a refund too, though no money
// moved: the oldest in op's list that does not carry an id of ours and has just that amount. NULL: none.
const struct provider_refund *refunds_find_release(const struct op *op, const struct payment *payment);
