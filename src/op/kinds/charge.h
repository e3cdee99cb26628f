// Preparing a charge. Database thread, in the transaction of the request.
#pragma once

#include "op/engine/op.h"

// A saved card as the provider knows it.
struct saved_method {
    const char *customer_ref;
    const char *method_ref;
    bool off_session; // no payer is present to authenticate
};

// Writes the payment and its operation. The payment is complete except for its credentials version and what
// comes later. The operation holds the exact body that will be sent; saved NULL: with the payment's own
// method. It has no body yet where the payment saves its card for a customer whom the provider does not have.
// *op is run once the transaction is committed. ERR_VALIDATION, ERR_STORE.
enum errc charge_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                         const struct saved_method *saved, struct op **op, struct err *err) MUST_CHECK;

// The merchant ends a pending payment whose outcome nobody can look up: the provider refused the key that the
// charge was sent with, and the merchant's present key belongs to another account. The payment fails, and its
// operation closes. ERR_CONFLICT: the outcome can still become known.
enum errc charge_abandon(struct tx *tx, struct payment *payment, struct err *err) MUST_CHECK;
