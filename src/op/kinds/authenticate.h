// Bringing a failed payment back to its payer. Database thread, in the transaction of the request.
#pragma once

#include "op/engine/op.h"

// Confirms a payment at the provider that failed because its payer had to authenticate and was not there; he
// is now, and goes to return_url afterwards. `method_ref`: its saved card's, at the provider. The caller has
// checked, in this transaction, that the payment failed so, has a provider_ref, and that no operation on it
// is open. It stays failed until the provider has confirmed. *op is run once the transaction is committed.
enum errc authenticate_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                               const char *method_ref, const char *return_url, struct op **op,
                               struct err *err) MUST_CHECK;
