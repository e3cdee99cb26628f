// Taking over a payment or refund that the provider knows and this database has forgotten. Database threads.
#pragma once

#include "domain/refund.h"
#include "op/state/payment_change.h"
#include "store/credentials.h"

// Whose payment the reported one says that it is, by the metadata that this service wrote: false where it is
// none of this account's, or says no id that this service can have given it.
bool take_over_names(const struct provider_payment *reported, const struct credential *account,
                     struct uuid *payment_id);

// Writes the payment, which is not here, with its caller's key, and takes its state over. ERR_CONFLICT: it
// cannot be, since what the provider says of it does not make a payment; nothing was written.
enum errc take_over_payment(struct tx *tx, const struct credential *account, const struct uuid *payment_id,
                            const struct provider_payment *reported, struct err *err) MUST_CHECK;

// What is reported of a payment that is here and has no provider_ref: the row may say failed, as of a charge
// that was not sent when the backup was made. What does not fit changes nothing.
enum errc take_over_reported(struct tx *tx, const struct credential *account, struct payment *payment,
                             const struct provider_payment *reported, struct err *err) MUST_CHECK;

// The payment that a refund is of; one that has no provider_ref yet is found by our id. ERR_NOT_FOUND.
enum errc take_over_find_refunded(struct tx *tx, const struct credential *account,
                                  const struct provider_refund *said, struct payment *payment,
                                  struct err *err) MUST_CHECK;

// Writes the refund, which is not here, with its caller's key. *late: it cannot be yet, as its payment is not
// known to be made or other refunds come first; what is open for the payment tells.
enum errc take_over_refund(struct tx *tx, const struct payment *payment, const struct provider_refund *said,
                           bool *late, struct err *err) MUST_CHECK;
