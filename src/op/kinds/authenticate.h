// Preparing an authentication. Database thread, in the transaction of the request.
#pragma once

#include "op/engine/op.h"

// Confirms a payment that failed because its payer was not there to authenticate. The payer is there now, and
// goes to return_url afterwards. method_ref: the provider's id of the payment's saved card. The caller has
// checked, in this transaction, that the payment failed for this reason, has a provider_ref, and has no open
// operation. The payment stays failed until the provider has confirmed it. *op is run once the transaction is
// committed.
enum errc authenticate_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                               const char *method_ref, const char *return_url, struct op **op,
                               struct err *err) MUST_CHECK;
