// Who may call the provider now. Each merchant's account (its mode's) has a pace of its own, which it keeps:
// its calls wait their turn, those of callers and those of recovery by turns; where it is told that they are
// too many it pauses. The circuit holds back everybody's calls while the provider is away.
//
// Nothing is ever shared between accounts, so a flood of one delays no other. What cannot be called soon is
// not kept here: a caller is refused before anything is recorded, an operation goes back to the database.
#pragma once

#include "base/loop.h"
#include "base/uuid.h"
#include "domain/circuit.h"
#include "domain/pace.h"
#include "provider/provider.h"

struct limiter;
struct account;

// What an attempt holds from before it is planned until it is over: room among its account's.
struct limiter_slot {
    struct limiter *limiter; // NULL: none is held
    struct account *account;
    enum circuit_side side;
    bool probe;        // goes through an open circuit
    bool called;       // something of this attempt was sent
    bool abandoned;    // its last call was
    int64_t queued_us; // since when it waits its turn
    struct list link;
};

struct limiter_options {
    struct loop *loop;
    struct random *random;
    struct pace_rates rates;
    const int64_t *operations_max;        // all accounts together
    const int64_t *reconcile_interval_ms; // no pause and no wait for a probe is longer
    // It is its turn. False: it did not call after all.
    bool (*call)(struct limiter_slot *slot);
    // What it called is not waited for any longer: limiter_answered comes soon, not from within this.
    void (*timeout_answer)(struct limiter_slot *slot);
    // It was not called, or is not called any further, and cannot be for so long; it does not come back here.
    void (*requeue)(struct limiter_slot *slot, int64_t wait_us);
    void (*resumed)(void *context); // the circuit closed
    void *context;
};
struct limiter *limiter_open(const struct limiter_options *options);
// Drops what still waits, without a call.
void limiter_close(struct limiter *limiter, void (*drop)(struct limiter_slot *slot));

// Takes a place for an attempt. False: there is none; *wait_us is when an operation should ask again, which
// spreads those of one account over the time that its pace will need for them. Any thread.
bool limiter_take(struct limiter *limiter, const struct uuid *merchant_id, bool livemode,
                  enum circuit_side side, struct limiter_slot *slot, int64_t *wait_us);
void limiter_release(struct limiter_slot *slot); // any thread; does nothing where none is held
// At most half of all places are recovery's.
int64_t limiter_recovery_max(const struct limiter *limiter);

// --- loop thread
// Calls when it is the place's turn, or puts it back.
void limiter_call(struct limiter_slot *slot);
// Each call's answer; `operation` is whose it was.
void limiter_answered(struct limiter_slot *slot, const struct uuid *operation,
                      const struct provider_answer *answer);
// How many operations may be claimed at once: one, as the probe, while the circuit holds everybody back, and
// none (0) until *wait_us have passed where it is not time for one.
int64_t limiter_claims_max(struct limiter *limiter, int64_t *wait_us);
// Puts back whatever waits, at the end: nothing may wait for a pause or a pace then.
void limiter_requeue_all(struct limiter *limiter);

struct limiter_stats {
    int64_t queued;
    int64_t refused_total; // callers
    int64_t limited_total; // answers that said too many requests
    int64_t circuit_open;  // 1 or 0
    int64_t circuit_opened_total;
};
void limiter_stats(struct limiter *limiter, struct limiter_stats *stats);
