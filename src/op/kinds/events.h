// Asking the provider for events that did not come by themselves. Database thread.
#pragma once

#include "op/engine/op.h"
#include "store/credentials.h"

// With credentials that were just put in place: an interval from now, and again while they have no webhook
// secret.
enum errc events_ask(struct engine *engine, struct tx *tx, const struct credential *credential,
                     int64_t now_us, struct err *err) MUST_CHECK;
