// What the files of the outbox's queries share.
#pragma once

#include "store/outbox.h"

#define BLOCKED "9223372036854775807"
#define PARKED "9223372036854775806"
_Static_assert(OUTBOX_BLOCKED == 9223372036854775807 && OUTBOX_PARKED == 9223372036854775806,
               "the SQL uses the same numbers");
// For the events of one transaction, which are few: no reason to look for them in an index of all open
// events, as PostgreSQL would while it takes the table for empty.
#define HIDDEN_TIME "coalesce(next_attempt_us, 0)"
#define HAS_TIME "next_attempt_us < " PARKED
#define ENDPOINT_FAILS(merchant_id)                                                                          \
    "EXISTS (SELECT 1 FROM failing_endpoints f WHERE f.merchant_id = " merchant_id ")"
#define HAS_ENDPOINT "webhook_url IS NOT NULL AND webhook_secret IS NOT NULL AND webhook_stopped = 0"
