// Beginning a charge. Database thread, in the transaction of the request.
#pragma once

#include "op/op.h"

// Keeps the payment (complete but for its credentials version and what comes later), and its operation with
// the exact body that will be sent; *op is run once the transaction is committed. ERR_VALIDATION, ERR_STORE.
enum errc charge_prepare(struct engine *engine, struct db *db, struct change *change,
                         const struct payment *payment, struct op **op, struct err *err) MUST_CHECK;
