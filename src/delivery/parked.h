// A slow job beside the claim that looks after parked events (outbox.h): it releases those whose merchant has
// an endpoint again, and expires those that waited too long.
#pragma once

#include "base/uuid.h"
#include "store/store.h"

struct parked_sweep {
    struct store_job job; // its `done` is the delivery's
    struct uuid cursor;   // in: the merchant visited last; nil: start with the first
    int64_t now_us;       // in
    bool released;        // out: events may be due now
    bool more;            // out: a batch was full, so the sweep goes on at once
    struct uuid next;     // out: the cursor of the next sweep, once this one is committed
};

// Database thread, in a transaction.
enum errc parked_sweep_run(struct store_job *job, struct tx *tx, struct err *err);
