// The inside of the limiter, shared by limiter_slots.c (who gets a slot) and limiter.c (whose call is next).
#pragma once

#include <pthread.h>

#include "base/hourly.h"
#include "base/table.h"
#include "op/engine/limiter.h"

struct account_key {
    struct uuid merchant_id;
    bool livemode;
};

struct account {
    struct table_node node;
    struct account_key key;
    int64_t rate; // calls a second, of all nodes; 0: no limit
    // Under the mutex.
    struct list idle_link;            // in limiter.idle
    int64_t slots[CALL_SOURCE_COUNT]; // not free
    int64_t paused_until_us;
    int pauses;            // in a row
    int64_t next_retry_us; // when the next operation that gets no slot should ask again
    // Loop thread.
    struct list queued_link; // in limiter.queued
    struct list queues[CALL_SOURCE_COUNT];
    enum call_source next_source; // whose queue is next
    struct pace pace;
    int64_t in_flight;     // slots that call or are abandoned
    struct hourly foreign; // answers that were not the provider's
};

// Invariants: an account is in `idle` while all its slots are free, and in `queued` while one of its slots is
// queued. limiter_move keeps them.
struct limiter {
    struct limiter_options options;
    // Under the mutex, but for `queued` of the stats.
    pthread_mutex_t mutex;
    struct table accounts;
    struct list idle;                 // accounts, longest idle first
    int64_t slots[CALL_SOURCE_COUNT]; // not free, of all accounts
    struct circuit circuit;
    int64_t nodes;            // changed by the loop thread
    uint64_t lost_connection; // the last one that was counted as a failure
    struct limiter_stats stats;
    // Loop thread.
    struct list queued;      // accounts
    struct list calling;     // slots, in the order of their calls
    struct list abandoned;   // slots
    int64_t in_flight;       // slots in these two lists
    int64_t silent_since_us; // while calls are in flight: the last answer, or the first call after none was
    struct timer timer;
    int64_t timer_due_us; // INT64_MAX: not started
};

// limiter_slots.c; any thread.
void limiter_lock(struct limiter *limiter);
void limiter_unlock(struct limiter *limiter);
int64_t limiter_now_us(struct limiter *limiter);
int64_t limiter_cap_us(const struct limiter *limiter); // of every delay

// Under the mutex, or on the loop thread. This node's part of the account's pace; 0: no limit.
int64_t limiter_rate(const struct limiter *limiter, const struct account *account);
bool limiter_can_move(enum limiter_slot_state from, enum limiter_slot_state to);
// The one function that changes a slot's state. It takes the slot out of the list of the old state, puts it
// into the list of the new one, and keeps the counters. A move that is not allowed is a bug and aborts. From
// or to SLOT_FREE: under the mutex, any thread; the loop thread if the slot is in a list. Else: loop thread.
void limiter_move(struct limiter_slot *slot, enum limiter_slot_state to);
bool limiter_is_queued(const struct account *account); // loop thread

// Under the mutex. How long the circuit and a pause hold back the account's calls; the circuit lets a probe
// through.
int64_t limiter_held_us(const struct limiter *limiter, const struct account *account, enum call_source source,
                        bool probe, int64_t now_us);
// Under the mutex. When an operation that must wait at least wait_us should ask for a slot again: after those
// that were sent away before it, at this rate.
int64_t limiter_spread_us(struct account *account, int64_t rate, int64_t wait_us, int64_t now_us);

// Loop thread. Frees the idle accounts that hold nothing that a later call would have to respect.
void limiter_forget_idle(struct limiter *limiter);
