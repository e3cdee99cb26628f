// Asking the provider for events that did not come by themselves. Database thread.
#pragma once

#include "op/engine/op.h"
#include "store/credentials.h"

// With credentials that were just put in place: an interval from now, and again while they have no webhook
// secret.
enum errc events_ask(struct engine *engine, struct tx *tx, const struct credential *credential,
                     int64_t now_us, struct err *err) MUST_CHECK;
// The events since created_s (0: not said) are asked for after delay_us. An event came that only names its
// object, or that may have come before the payment that it is about.
enum errc events_schedule(struct tx *tx, const struct uuid *merchant_id, bool livemode, int64_t created_s,
                          int64_t delay_us, struct err *err) MUST_CHECK;
