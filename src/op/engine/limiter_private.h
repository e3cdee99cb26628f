// The inside of the limiter, shared by limiter_slots.c (who may begin) and limiter.c (whose turn it is).
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
    int64_t rate; // 0: any
    // Under the mutex.
    struct list idle;
    int64_t slots[CIRCUIT_SIDE_COUNT];
    int64_t paused_until_us;
    int pauses;       // one behind the other
    int64_t later_us; // behind the operations that found no place and ask again
    // Loop thread.
    struct list waiting;
    struct list queues[CIRCUIT_SIDE_COUNT];
    enum circuit_side turn;
    struct pace pace;
    int64_t calling;
    struct hourly foreign; // answers that were not the provider's
};

struct limiter {
    struct limiter_options options;
    pthread_mutex_t mutex;
    struct table accounts;
    struct list idle;                  // longest idle first
    int64_t slots[CIRCUIT_SIDE_COUNT]; // of all accounts
    struct circuit circuit;
    uint64_t lost_connection; // whose calls' failure was counted last
    struct limiter_stats stats;
    struct list waiting;
    struct list calling;     // in the order of their calls
    int64_t silent_since_us; // while something is calling: the last answer, or the first call behind none
    struct timer timer;
    int64_t timer_due_us; // INT64_MAX: not started
};

// limiter_slots.c; any thread.
void limiter_lock(struct limiter *limiter);
void limiter_unlock(struct limiter *limiter);
int64_t limiter_now_us(struct limiter *limiter);
int64_t limiter_cap_us(const struct limiter *limiter); // of every delay
uint32_t limiter_random32(struct limiter *limiter);

// limiter_slots.c; under the mutex. How long the account's calls are held back; a probe only by a pause.
int64_t limiter_held_us(const struct limiter *limiter, const struct account *account, enum circuit_side side,
                        bool probe, int64_t now_us);
// When one that must wait so long should ask again: behind those that were told so before, at this rate.
int64_t limiter_spread_us(struct account *account, int64_t rate, int64_t wait_us, int64_t now_us);

// limiter_slots.c; loop thread. Frees the accounts that nothing is known of any more that the next call, or
// what is told of it, would have to keep to.
void limiter_forget_idle(struct limiter *limiter);
