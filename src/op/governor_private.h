// The inside of the governor, shared by places.c (who may begin) and governor.c (whose turn it is).
#pragma once

#include <pthread.h>

#include "base/hourly.h"
#include "base/table.h"
#include "op/governor.h"

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
    int64_t places[CIRCUIT_SIDE_COUNT];
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

struct governor {
    struct governor_options options;
    pthread_mutex_t mutex;
    struct table accounts;
    struct list idle;                   // longest idle first
    int64_t places[CIRCUIT_SIDE_COUNT]; // of all accounts
    struct circuit circuit;
    uint64_t lost_connection; // whose calls' failure was counted last
    struct governor_stats stats;
    struct list waiting;
    struct list calling;     // in the order of their calls
    int64_t silent_since_us; // while something is calling: the last answer, or the first call behind none
    struct timer timer;
    int64_t timer_due_us; // INT64_MAX: not started
};

// places.c; any thread.
void governor_lock(struct governor *governor);
void governor_unlock(struct governor *governor);
int64_t governor_now_us(struct governor *governor);
int64_t governor_cap_us(const struct governor *governor); // of every delay
uint32_t governor_random32(struct governor *governor);

// places.c; under the mutex. How long the account's calls are held back; a probe only by a pause.
int64_t governor_held_us(const struct governor *governor, const struct account *account,
                         enum circuit_side side, bool probe, int64_t now_us);
// When one that must wait so long should ask again: behind those that were told so before, at this rate.
int64_t governor_spread_us(struct account *account, int64_t rate, int64_t wait_us, int64_t now_us);

// places.c; loop thread. Frees the accounts that nothing is known of any more that the next call, or what is
// told of it, would have to keep to.
void governor_forget_idle(struct governor *governor);
