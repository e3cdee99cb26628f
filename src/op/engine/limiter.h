// Decides who may call the provider, and when. Each merchant's account, in each mode, has a pace of its own.
// Its calls wait in its queues, where calls from the API and from recovery alternate. An account pauses when
// the provider answers that it called too often. The circuit holds back all calls while the provider is
// unreachable.
//
// Accounts share nothing, so a flood of one account delays no other. A call that cannot be sent soon is not
// kept here: a caller of the API is refused before anything is recorded, and an operation goes back to the
// database.
//
// Threads: limiter_take, limiter_release and limiter_recovery_max run on any thread, under the limiter's
// mutex. All else runs on the loop thread.
#pragma once

#include "base/loop.h"
#include "base/uuid.h"
#include "domain/circuit.h"
#include "domain/pace.h"
#include "provider/provider.h"

struct limiter;
struct account;

// What the attempt that holds the slot does. limiter_move (limiter_private.h) is the only function that
// changes it.
enum limiter_slot_state {
    SLOT_FREE,   // no attempt holds it
    SLOT_HELD,   // nothing was sent, and no call waits
    SLOT_QUEUED, // nothing was sent, and its first call waits in the account's queue
    // In all states from here on a call was sent: limiter_slot_has_called.
    SLOT_CALLING,      // the answer is awaited
    SLOT_ABANDONED,    // the answer is not awaited any longer, but limiter_answered did not run yet
    SLOT_ANSWERED,     // the last call was answered, and none waits
    SLOT_QUEUED_AGAIN, // one more call of the attempt waits
    SLOT_STATE_COUNT
};

// An attempt holds a slot of its account from before it is planned until it is over.
struct limiter_slot {
    enum limiter_slot_state state;
    struct limiter *limiter;
    struct account *account;
    enum call_source source;
    bool probe;        // its first call goes through an open circuit
    int64_t queued_us; // monotonic; when it was last queued
    struct list link;  // in the list of its state
};

static inline bool limiter_slot_has_called(const struct limiter_slot *slot)
{
    return slot->state >= SLOT_CALLING;
}

struct limiter_options {
    struct loop *loop;
    struct random *random;
    struct pace_rates rates;
    const int64_t *operations_max;        // slots of all accounts together
    const int64_t *reconcile_interval_ms; // the longest pause (without Retry-After) and wait for a probe
    // The four below run on the loop thread. The limiter does not touch a slot again after `requeue`, nor
    // after a `call` that returned false.
    //
    // Sends the call. False: it is not sent after all.
    bool (*call)(struct limiter_slot *slot);
    // Stops waiting for the answer: limiter_answered comes soon, but not from within this.
    void (*abandon_call)(struct limiter_slot *slot);
    // The call is not sent. The operation may ask for a slot again after wait_us.
    void (*requeue)(struct limiter_slot *slot, int64_t wait_us);
    void (*resumed)(void *context); // the circuit closed
    // An answer to this node, or the lack of one, opened or closed the circuit: for this merchant, or for all
    // (NULL). May be NULL.
    void (*circuit_changed)(void *context, const struct uuid *merchant, bool open);
    void *context;
};
struct limiter *limiter_open(const struct limiter_options *options);
// Drops the queued slots without a call; `drop` releases each.
void limiter_close(struct limiter *limiter, void (*drop)(struct limiter_slot *slot));

// Takes a slot for an attempt. It may be copied until its first limiter_call; the copy then stands for it.
// False: there is none; *wait_us is when an operation of recovery should ask again. These times of one
// account are spread over the time that its pace will need for them. Any thread.
bool limiter_take(struct limiter *limiter, const struct uuid *merchant_id, bool livemode,
                  enum call_source source, struct limiter_slot *slot, int64_t *wait_us);
// Does nothing to a free slot. Any thread while nothing was queued, else the loop thread.
void limiter_release(struct limiter_slot *slot);
// How many slots recovery may hold: half of all. Any thread.
int64_t limiter_recovery_max(const struct limiter *limiter);

// --- loop thread
// So many nodes call for the same accounts: each keeps to its part of their paces. One at first.
void limiter_set_nodes(struct limiter *limiter, int64_t nodes);
// Calls as soon as the pace allows, or requeues.
void limiter_call(struct limiter_slot *slot);
// Another node's circuit opened or closed: so does this one, unless it knows better (circuit.h).
void limiter_follow_circuit(struct limiter *limiter, const struct uuid *merchant, bool open);
// To be told of the answer to each call. `operation` is the one that called.
void limiter_answered(struct limiter_slot *slot, const struct uuid *operation,
                      const struct provider_answer *answer);
// How many operations may be claimed at once. While the circuit holds back all merchants it is one, the
// probe; or 0 until *wait_us have passed, if the next probe is not due.
int64_t limiter_claims_max(struct limiter *limiter, int64_t *wait_us);
// Requeues every queued slot, when the process stops.
void limiter_requeue_all(struct limiter *limiter);

struct limiter_stats {
    int64_t queued;        // slots
    int64_t refused_total; // API requests that got no slot
    int64_t limited_total; // answers that said too many requests
    int64_t circuit_open;  // 1 or 0
    int64_t circuit_opened_total;
};
void limiter_stats(struct limiter *limiter, struct limiter_stats *stats);
