// Beginning a charge. Database thread, in the transaction of the request.
#pragma once

#include "op/engine/op.h"

// A saved card as the provider knows it; off_session: nobody is there to authenticate.
struct saved_method {
    const char *customer_ref;
    const char *method_ref;
    bool off_session;
};

// Keeps the payment (complete but for its credentials version and what comes later), and its operation with
// the exact body that will be sent (saved NULL: with the payment's own method), or, where it saves its card
// for a customer whom the provider does not have yet, without one; *op is run once the transaction is
// committed. ERR_VALIDATION, ERR_STORE.
enum errc charge_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                         const struct saved_method *saved, struct op **op, struct err *err) MUST_CHECK;

// The merchant's word ends a pending payment of which nobody can ask any more: the provider refused the key
// that the charge was sent with, and the present one is none of the same account. It is failed, its operation
// closed. ERR_CONFLICT: it can still be asked after.
enum errc charge_abandon(struct tx *tx, struct payment *payment, struct err *err) MUST_CHECK;
