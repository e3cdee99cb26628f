// The first side of the triangle: a job that takes due events out of the outbox, fairly between merchants.
#pragma once

#include "delivery/sending.h"

// Once around the merchants with open events in the order of their ids: from behind `start` to the last, then
// from the first up to `start`. Where there are many, several claims share one walk.
struct claim_walk {
    struct uuid start;
    struct uuid at; // visited last
    int64_t visits;
    bool wrapped;
    bool done;
    int64_t next_due_us; // when something of what was visited will be due, merchants that have their share
                         // left out; INT64_MAX: nothing
};

struct claim {
    struct store_job job; // its `done` is the delivery's
    // In.
    struct claim_walk from;
    int64_t now_us;
    int64_t lease_us;
    int64_t room;            // events to claim at most
    int64_t endpoint_max;    // events of one merchant in flight at most, with those of `busy`
    const struct uuid *busy; // the merchant of each event in flight
    size_t busy_count;
    // Out.
    struct list sendings;
    int64_t claimed;
    int64_t set_aside;    // damaged events, or events of a damaged merchant
    struct uuid aside_id; // one of them
    struct claim_walk to; // not done: the room, or this claim's share of the writer's time, was used up
};

// A new walk that begins behind that merchant (nil: at the first).
struct claim_walk claim_walk_behind(const struct uuid *merchant_id);

// Database thread, in a transaction.
enum errc claim_run(struct store_job *job, struct tx *tx, struct err *err);
