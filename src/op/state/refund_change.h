// The one way a refund changes. Each function writes the row, the payment's sum of refunds and status, its
// history and the event in the transaction that it runs in. A payment's refunded amount is always the sum of
// its completed rows, never a figure of the provider's, which also counts refunds that are pending and money
// that was never captured. Database threads.
#pragma once

#include "domain/refund.h"
#include "op/state/payment_change.h"
#include "provider/provider.h"

// A refund that was just requested. It is pending, which reserves its amount.
enum errc refund_write_new(struct tx *tx, const struct payment *payment, const struct refund *refund,
                           struct err *err) MUST_CHECK;

// Applies what this provider reports of the refund. A move that its status does not allow changes nothing.
// ERR_CONFLICT: the report is about another refund (id, amount, currency or payment differ), or more would be
// refunded than was captured; nothing was changed.
enum errc refund_apply_reported(struct tx *tx, struct refund *refund, const struct provider_ops *provider,
                                const struct provider_refund *reported, struct err *err) MUST_CHECK;

// The provider refused it: it failed, and its amount is free again.
enum errc refund_fail(struct tx *tx, struct refund *refund, const struct failure *failure,
                      struct err *err) MUST_CHECK;

// Finds the row of a refund of this completed payment, by the provider's id or by ours in its metadata, and
// applies what is reported. A refund without a row gets one: either it was made at the provider's dashboard,
// or it was requested here and this database lacks it, and then it has its id and its key again. *ambiguous:
// it may be the refund of a call of ours that is not answered yet; nothing was changed, try again.
// ERR_CONFLICT as above.
enum errc refund_reconcile(struct tx *tx, const struct payment *payment,
                           const struct provider_refund *reported, bool *ambiguous,
                           struct err *err) MUST_CHECK;

// The same for a refund that was reported alone. Where that does not say which refund it is, the provider's
// list of the payment's refunds is read.
enum errc refund_apply_event(struct tx *tx, const struct payment *payment,
                             const struct provider_refund *reported, struct err *err) MUST_CHECK;
