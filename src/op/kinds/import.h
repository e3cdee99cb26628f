// Importing a payment or refund that the provider knows and this database lost. Database threads.
#pragma once

#include "domain/refund.h"
#include "op/state/payment_change.h"
#include "store/credentials.h"

// Reads our payment's id from the metadata that this service wrote. False if the payment is not the
// account's, or this service cannot have given it that id.
bool import_find_id(const struct provider_payment *reported, const struct credential *account,
                    struct uuid *payment_id);

// Writes a missing payment with its caller's idempotency key, and applies its state. ERR_CONFLICT: what the
// provider reports does not make a valid payment; nothing was written.
enum errc import_payment(struct tx *tx, const struct credential *account, const struct uuid *payment_id,
                         const struct provider_payment *reported, struct err *err) MUST_CHECK;

// Applies the state of a payment that is here without its provider_ref, because the backup was made before
// its charge was settled. A state that does not fit changes nothing.
enum errc import_payment_state(struct tx *tx, const struct credential *account, struct payment *payment,
                               const struct provider_payment *reported, struct err *err) MUST_CHECK;

// Finds the payment of a refund: by the provider's id, or by ours if its provider_ref is not known here yet.
// ERR_NOT_FOUND.
enum errc import_find_refunded(struct tx *tx, const struct credential *account,
                               const struct provider_refund *reported, struct payment *payment,
                               struct err *err) MUST_CHECK;

// Writes a missing refund with its caller's idempotency key. *late: it cannot be written yet, because its
// payment's charge or an earlier refund is still open; that operation's outcome decides.
enum errc import_refund(struct tx *tx, const struct payment *payment, const struct provider_refund *reported,
                        bool *late, struct err *err) MUST_CHECK;
