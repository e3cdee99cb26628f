// The one way a refund changes. Row, the payment's sum and status, history and event in the transaction it
// runs in. Database threads.
#pragma once

#include "domain/refund.h"
#include "op/state/payment_change.h"

// Takes over what the provider says of this refund. What its status does not allow changes nothing.
// ERR_CONFLICT: it is another refund (id, amount, currency or payment differ), or there would be more
// refunded than was captured; nothing changed.
enum errc refund_take(struct tx *tx, struct refund *refund, const struct provider_refund *said,
                      struct err *err) MUST_CHECK;

// The provider refused it: failed, and its amount is free again.
enum errc refund_fail(struct tx *tx, struct refund *refund, const struct failure *failure,
                      struct err *err) MUST_CHECK;

// Takes over any refund of a completed payment that the provider tells of: the row it is, by the provider's
// id or by ours in its metadata, or else a new one: made at the provider's own dashboard, or asked for
// here and forgotten since, and then it has its id and its key again. *unclear: it may
// be the one that the answer to a call of ours is going to name; nothing changed, ask again. ERR_CONFLICT as
// above.
enum errc refund_take_over(struct tx *tx, const struct payment *payment, const struct provider_refund *said,
                           bool *unclear, struct err *err) MUST_CHECK;

// The same of one that was told of by itself. Where that does not say what it is, the provider's list of the
// payment's refunds is read.
enum errc refund_hear(struct tx *tx, const struct payment *payment, const struct provider_refund *said,
                      struct err *err) MUST_CHECK;
