// The first step of a delivery (delivery.h): a job that claims due events in the outbox, fairly between
// merchants.
#pragma once

#include "delivery/attempt.h"

// A walk around all merchants with open events, in the order of their ids: those after `start` to the last,
// then from the first to `start`. If there are many, several claims share one walk.
struct claim_walk {
    struct uuid start;
    struct uuid at; // visited last
    int64_t visits;
    bool wrapped;
    bool done;
    bool short_of_slots; // a visited merchant has more due events than there were free slots
    int64_t next_due_us; // when the next event of the visited merchants is due, except of those that have
                         // their share in flight; INT64_MAX: none
};

struct claim {
    struct store_job job; // its `done` is the delivery's
    // In.
    struct claim_walk from;
    int64_t now_us;
    int64_t lease_us;
    struct send_slots *slots; // each claimed event takes one
    // Out.
    struct list attempts;
    int64_t claimed;
    int64_t set_aside;    // damaged events, or events of a damaged merchant
    struct uuid aside_id; // one of them
    struct claim_walk to; // not done: the claim ran out of slots or of its share of the writer's time
};

// A new walk that begins after that merchant (nil: with the first).
struct claim_walk claim_walk_after(const struct uuid *merchant_id);

// Database thread, in a transaction.
enum errc claim_run(struct store_job *job, struct tx *tx, struct err *err);
