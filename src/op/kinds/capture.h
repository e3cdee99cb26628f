// Preparing a capture. Database thread, in the transaction of the request.
#pragma once

#include "op/engine/op.h"

// Captures amount_minor of an authorised payment. The caller has checked, in this transaction, that the
// payment is capturable and that so much is authorised; afterwards it is not capturable any more. *op is run
// once the transaction is committed.
enum errc capture_prepare(struct engine *engine, struct tx *tx, struct payment *payment, int64_t amount_minor,
                          struct op **op, struct err *err) MUST_CHECK;
