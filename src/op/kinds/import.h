// Taking over a payment or refund that the provider knows and this database has forgotten. Database threads.
#pragma once

#include "domain/refund.h"
#include "op/state/payment_change.h"
#include "store/credentials.h"

// Whose payment the intent says that it is, by the metadata that this service wrote: false where it is none
// of this account's, or says no id that this service can have given it.
bool import_find_id(const struct provider_payment *reported, const struct credential *account,
                    struct uuid *payment_id);

// Writes the payment, which is not here, with its caller's key, and takes its state over. ERR_CONFLICT: it
// cannot be, since what the provider says of it does not make a payment; nothing was written.
enum errc import_payment(struct tx *tx, const struct credential *account, const struct uuid *payment_id,
                         const struct provider_payment *reported, struct err *err) MUST_CHECK;

// The intent of a payment that is here and does not know it: the row may say failed, as of a charge that was
// not sent when the backup was made. What does not fit changes nothing.
enum errc import_payment_state(struct tx *tx, const struct credential *account, struct payment *payment,
                               const struct provider_payment *reported, struct err *err) MUST_CHECK;

// The payment that a refund is of; one whose intent is not known here yet is found by our id. ERR_NOT_FOUND.
enum errc import_find_refunded(struct tx *tx, const struct credential *account,
                               const struct provider_refund *said, struct payment *payment,
                               struct err *err) MUST_CHECK;

// Writes the refund, which is not here, with its caller's key. *late: it cannot be yet, as its payment is not
// known to be made or other refunds come first; what is open for the payment tells.
enum errc import_refund(struct tx *tx, const struct payment *payment, const struct provider_refund *said,
                        bool *late, struct err *err) MUST_CHECK;
