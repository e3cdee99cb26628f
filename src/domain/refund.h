// A refund, what the provider says about it, and the only moves it may make. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "domain/money.h"
#include "domain/payment.h"

enum refund_status { REFUND_PENDING, REFUND_COMPLETED, REFUND_FAILED, REFUND_STATUS_COUNT };

// One row of `refunds`. Text is owned by the arena it was read or built into; NULL text is SQL NULL.
struct refund {
    struct uuid id;
    struct uuid payment_id;
    struct uuid merchant_id;
    bool livemode;
    int64_t amount_minor;
    const struct currency *currency;
    enum refund_status status;
    const char *provider_ref;
    const char *reason;              // "duplicate", "fraudulent", "requested_by_customer"; NULL: none
    const struct request_mark *mark; // no column: only while it is prepared; NULL: its request had no key
    struct failure failure;
    struct uuid credential_version_id; // the credentials version that it was first sent with
    int64_t created_us;
    int64_t updated_us;
};

// What the provider says about a refund. Unknown states are pending.
struct provider_refund {
    const char *id;
    enum refund_status status;
    int64_t amount_provider_minor; // -1: unknown
    const char *currency;          // as the provider wrote it; NULL: unknown
    const char *payment_ref;       // NULL: unknown
    const char *charge_id;         // NULL: unknown
    const char *refund_id;         // metadata[refund_id]; NULL: none
    const char *payment_id;        // metadata[payment_id]; NULL: none
    struct request_mark mark;      // of the request that made it
    bool unmarked;                 // it has no metadata at all, so it may be ours too
    const char *reason;            // one of struct refund's; NULL: none or another
    const char *failure_reason;    // NULL: none
};

// Whether a refund may move between the statuses: pending -> completed | failed, and completed -> failed (the
// money came back, weeks later). False for the status that it has.
bool refund_can_move(enum refund_status from, enum refund_status to);

// "pending", "completed", "failed". Static storage. parse: false when unknown.
const char *refund_status_name(enum refund_status status);
bool refund_status_parse(const char *name, enum refund_status *status);

// Whether a request may give this reason.
bool refund_reason_known(const char *reason);
