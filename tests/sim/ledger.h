// The provider's ledger: what was charged for a payment and what was refunded. One thread.
#pragma once

#include <stdint.h>

#include <json-c/json.h>

// Reads the provider's ledger as it is now. Never freed.
void ledger_read(void);
// Visits each captured charge with the payment id in its metadata (NULL: none).
void ledger_each_captured(void (*visit)(struct json_object *charge, const char *payment_id));
// Returns how many captured charges a payment has. *charge is one of them; NULL: there is none.
int ledger_captured(const char *payment_id, struct json_object **charge);
// The sum of an intent's refunds, without releases of an authorised amount, which move no money.
int64_t ledger_refunded_minor(const char *intent_id);
