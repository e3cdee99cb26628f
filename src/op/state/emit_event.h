// Events for merchants. Database threads.
#pragma once

#include <json-c/json.h>

#include "store/tx.h"

// Writes {"id","type","created_at","data"} to the outbox, for the merchant's endpoint. Takes `data`.
// transaction: the payment or card that the event is about, whose events are delivered in order; NULL: none.
enum errc emit_event(struct tx *tx, const struct uuid *merchant_id, bool livemode,
                     const struct uuid *transaction, const char *type, struct json_object *data,
                     struct err *err) MUST_CHECK;
