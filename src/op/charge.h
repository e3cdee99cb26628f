// Beginning a charge. Database thread, in the transaction of the request.
#pragma once

#include "op/op.h"

// A saved card as the provider knows it; off_session: nobody is there to authenticate.
struct saved_method {
    const char *customer_ref;
    const char *method_ref;
    bool off_session;
};

// Keeps the payment (complete but for its credentials version and what comes later), and its operation with
// the exact body that will be sent (saved NULL: with the payment's own method); *op is run once the
// transaction is committed. ERR_VALIDATION, ERR_STORE.
enum errc charge_prepare(struct engine *engine, struct db *db, struct change *change,
                         const struct payment *payment, const struct saved_method *saved, struct op **op,
                         struct err *err) MUST_CHECK;
