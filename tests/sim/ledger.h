// The provider's books as they are in the end: what was charged of a payment, and what was paid back. One
// thread.
#pragma once

#include <stdint.h>

#include <json-c/json.h>

// Reads them as they are now. They are kept for ever.
void ledger_read(void);
// Each captured charge with the payment that it says it is of (NULL: none).
void ledger_each_captured(void (*visit)(struct json_object *charge, const char *payment_id));
// How many captured charges a payment has, and where it has some one of them.
int ledger_captured(const char *payment_id, struct json_object **charge);
// What was paid back of an intent. What an authorisation let go of is a refund too, but no money moved.
int64_t ledger_refunded_minor(const char *intent_id);
