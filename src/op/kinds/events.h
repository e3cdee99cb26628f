// Fetching the provider's events that it did not deliver. Database thread.
#pragma once

#include "op/engine/op.h"
#include "store/credentials.h"

// Credentials were stored: fetches an interval from now, and at every interval while they have no webhook
// secret.
enum errc events_begin(struct engine *engine, struct tx *tx, const struct credential *credential,
                       int64_t now_us, struct err *err) MUST_CHECK;
