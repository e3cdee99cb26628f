// The one way a payment changes. Each function writes the row, its history and the event for the merchant in
// the transaction that it runs in, so a status cannot change without them. Database threads.
#pragma once

#include "base/keyring.h"
#include "domain/payment.h"
#include "op/state/schedule.h"

// A payment that was just prepared, with the first line of its history.
enum errc payment_write_new(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;

// A payment that the provider knows and this database lacks, as it was when it was prepared. Its present
// state is applied next (payment_apply_reported).
enum errc payment_write_imported(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;

// The payment could not be made: MOVE_FAIL with this reason, if its status allows it. If the payer got its
// next action, the payment is canceled at the provider, so nobody pays it later in addition to its
// replacement.
enum errc payment_fail(struct tx *tx, struct payment *payment, const struct failure *failure,
                       struct err *err) MUST_CHECK;

// OK: the report is about this payment. ERR_CONFLICT: it is not (another id, amount or currency, or it names
// another payment).
enum errc payment_check_reported(struct tx *tx, struct payment *payment,
                                 const struct provider_payment *reported, struct err *err) MUST_CHECK;

// Why the payment failed, as reported.
struct failure payment_failure_of(const struct provider_payment *reported);

// Applies what the provider reports. A move that the status does not allow changes nothing but the history.
// ERR_CONFLICT: the report is not about this payment (another id, amount or currency); nothing was changed.
enum errc payment_apply_reported(struct tx *tx, struct payment *payment,
                                 const struct provider_payment *reported, struct err *err) MUST_CHECK;

// Only for op_authenticate: the provider has confirmed a failed payment once more, and it has not ended
// there. The payment is pending again, then the report is applied.
enum errc payment_reopen(struct tx *tx, struct payment *payment, const struct provider_payment *reported,
                         struct err *err) MUST_CHECK;
// The provider did not confirm it: the payment stays failed, now for this reason. `what`: for its history.
enum errc payment_fail_again(struct tx *tx, struct payment *payment, const struct failure *failure,
                             const char *what, struct err *err) MUST_CHECK;

// *ending: whether the payment is being captured or canceled.
enum errc payment_is_ending(struct tx *tx, const struct payment *payment, bool *ending,
                            struct err *err) MUST_CHECK;
// A payment that is being captured or canceled is not capturable. If neither happened it is capturable again,
// and the merchant gets an event.
enum errc payment_set_capturable(struct tx *tx, struct payment *payment, bool capturable, const char *what,
                                 struct err *err) MUST_CHECK;

// A payment that saves its card, and was not charged yet, saves it for another customer.
enum errc payment_set_customer(struct tx *tx, struct payment *payment, const struct uuid *customer_id,
                               struct err *err) MUST_CHECK;

// A refund of this payment was just written with a new status: the payment's sum of refunds, its status where
// the sum decides it, and the event about the refund. ERR_STORE: more is refunded than was captured.
enum errc payment_apply_refund(struct tx *tx, struct payment *payment, const struct refund *refund,
                               struct err *err) MUST_CHECK;

// A line of history for something that changed nothing.
enum errc append_history(struct tx *tx, const struct payment *payment, const char *what,
                         struct err *err) MUST_CHECK;
