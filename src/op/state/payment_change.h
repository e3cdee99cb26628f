// The one way a payment changes. A change writes the row, its history and the event for the merchant in the
// transaction it runs in, so that a status cannot change without them. Database threads.
#pragma once

#include "base/keyring.h"
#include "domain/payment.h"
#include "op/state/schedule.h"

// A payment that was just prepared: the row and the first line of its history.
enum errc payment_write_new(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;

// A payment that the provider knows and this database has forgotten, as it was when it was prepared; its
// state is taken over next (payment_apply_reported).
enum errc payment_write_imported(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;

// The payment could not be made: MOVE_FAIL with this reason, if its status allows it. Where its next action
// was handed out, it is cancelled at the provider, so that nobody pays it later beside its
// replacement.
enum errc payment_fail(struct tx *tx, struct payment *payment, const struct failure *failure,
                       struct err *err) MUST_CHECK;

// OK: what is reported is this payment's. ERR_CONFLICT: it is not (another id, amount or currency, or it
// names another payment).
enum errc payment_check_reported(struct tx *tx, struct payment *payment,
                                 const struct provider_payment *reported, struct err *err) MUST_CHECK;

// Why a payment that is reported so failed.
struct failure payment_failure_of(const struct provider_payment *reported);

// Takes over what the provider says. A move that the status does not allow changes nothing and is noted in
// the history. ERR_CONFLICT: what is reported is not this payment's (another id, amount or currency); nothing
// is changed.
enum errc payment_apply_reported(struct tx *tx, struct payment *payment,
                                 const struct provider_payment *reported, struct err *err) MUST_CHECK;

// For op_authenticate alone: the provider has confirmed a failed payment once more, and it is not at
// its end. The payment is pending again, and then takes over what the provider says.
enum errc payment_reopen(struct tx *tx, struct payment *payment, const struct provider_payment *reported,
                         struct err *err) MUST_CHECK;
// It was not confirmed: the payment stays failed, for this reason from now on. `what`: for its history.
enum errc payment_fail_again(struct tx *tx, struct payment *payment, const struct failure *failure,
                             const char *what, struct err *err) MUST_CHECK;

// Whether the payment is being captured or canceled: *ending.
enum errc payment_is_ending(struct tx *tx, const struct payment *payment, bool *ending,
                            struct err *err) MUST_CHECK;
// For those who do that: while it is under way the payment is not capturable; it is again, and the merchant
// is told so, where it came to nothing.
enum errc payment_set_capturable(struct tx *tx, struct payment *payment, bool capturable, const char *what,
                                 struct err *err) MUST_CHECK;

// A payment that saves its card, and was not charged yet, does so for another customer.
enum errc payment_set_customer(struct tx *tx, struct payment *payment, const struct uuid *customer_id,
                               struct err *err) MUST_CHECK;

// A refund of this payment was just written with a new status: the payment's sum of refunds, its status where
// the sum decides it, and the event about the refund. ERR_STORE: more is refunded than was captured.
enum errc payment_apply_refund(struct tx *tx, struct payment *payment, const struct refund *refund,
                               struct err *err) MUST_CHECK;

// A line of history for something that changed nothing.
enum errc append_history(struct tx *tx, const struct payment *payment, const char *what,
                         struct err *err) MUST_CHECK;
