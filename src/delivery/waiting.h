// What waits for an endpoint: a slow job beside the claim that lets such events die of age, and sends on
// those whose merchant has an endpoint again, whoever gave it one.
#pragma once

#include "base/uuid.h"
#include "store/store.h"

struct waiting {
    struct store_job job; // its `done` is the delivery's
    struct uuid cursor;   // in and out: the merchant that was visited last; nil behind the last merchant
    int64_t now_us;       // in
    bool released;        // out: something may be due now
    bool more;            // out: a batch was full
    // The job's own: where it will stand if it is committed.
    struct uuid stopped_at;
};

// Database thread, in a transaction.
enum errc waiting_run(struct store_job *job, struct tx *tx, struct err *err);
