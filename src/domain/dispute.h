// A dispute: the payer asks the bank to take a payment back. The provider alone moves it, and nothing here
// depends on its status, so statuses are the provider's words. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "domain/money.h"

// One row of `disputes`: what the newest report says. Text is owned by the arena it was read or built into;
// NULL text: the report does not say it.
struct dispute {
    struct uuid id;
    struct uuid payment_id;
    struct uuid merchant_id;
    bool livemode;
    const char *provider_ref;
    const char *status;
    const char *reason;
    int64_t amount_minor;            // -1: not said, or not an amount of the currency
    const struct currency *currency; // NULL: not said, or unknown
    int64_t evidence_due_us;         // 0: not said
    int64_t reported_s;              // when the report was made, by the provider's clock
    int64_t created_us;
    int64_t updated_us;
};

// Whether a report of a dispute is not older than the one that its row has. The provider dates reports in
// whole seconds. Of two reports of the same second, one whose status comes before the other's is older.
bool dispute_supersedes(const struct dispute *report, const struct dispute *row);
