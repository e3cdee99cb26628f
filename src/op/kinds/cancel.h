// Preparing a cancellation. Database thread, in the transaction of the request.
#pragma once

#include "op/engine/op.h"

// Cancels a pending payment. The caller has checked, in this transaction, that it is pending, has a
// provider_ref, and that no capture or cancellation of it is open; afterwards it is not capturable any more.
// *op is run once the transaction is committed.
enum errc cancel_prepare(struct engine *engine, struct tx *tx, struct payment *payment, struct op **op,
                         struct err *err) MUST_CHECK;
