// Who may begin an attempt at all: an account has so many places, none while its calls are held back.
// Invariant: an account is in `idle` while nobody holds a place of it, and only idle ones are freed. Any
// thread: database threads take places in the transactions that plan, so all of this is touched under the
// mutex.
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/limiter_private.h"

// An account may have so many seconds' worth of its pace under way or waiting, of callers and of recovery
// each: at that pace nobody waits longer than both together, and an attempt's lease is longer still.
#define SLOTS_S 5
// On each side it may hold so many times the places that are free there. One account alone has three quarters
// then, two have three sevenths each, and there are always some for the next.
#define SLOTS_OF_FREE 3
// An operation that found no place asks again after this, and those of an account without a pace at so many
// a second: each time is a write.
#define FULL_WAIT_US (1 * US_PER_S)
#define FULL_RATE 1000

void limiter_lock(struct limiter *limiter)
{
    REQUIRE(pthread_mutex_lock(&limiter->mutex) == 0);
}

void limiter_unlock(struct limiter *limiter)
{
    REQUIRE(pthread_mutex_unlock(&limiter->mutex) == 0);
}

int64_t limiter_now_us(struct limiter *limiter)
{
    return loop_mono_us(limiter->options.loop);
}

int64_t limiter_cap_us(const struct limiter *limiter)
{
    return *limiter->options.reconcile_interval_ms * US_PER_MS;
}

uint32_t limiter_random32(struct limiter *limiter)
{
    uint32_t value = 0;
    limiter->options.random->fill(limiter->options.random, &value, sizeof(value));
    return value;
}

static struct account_key account_key(const struct uuid *merchant_id, bool livemode)
{
    struct account_key key;
    memset(&key, 0, sizeof(key)); // it is compared as bytes
    key.merchant_id = *merchant_id;
    key.livemode = livemode;
    return key;
}

static struct account *account_of(struct limiter *limiter, const struct uuid *merchant_id, bool livemode)
{
    struct account_key key = account_key(merchant_id, livemode);
    struct table_node *node = table_find(&limiter->accounts, &key, sizeof(key));
    if (node != NULL) {
        return CONTAINER_OF(node, struct account, node);
    }
    struct account *account = calloc(1, sizeof(*account));
    REQUIRE(account != NULL);
    account->key = key;
    account->rate = livemode ? limiter->options.rates.live : limiter->options.rates.test;
    list_init(&account->waiting);
    for (int side = 0; side < CIRCUIT_SIDE_COUNT; side++) {
        list_init(&account->queues[side]);
    }
    list_append(&limiter->idle, &account->idle);
    table_insert(&limiter->accounts, &account->node, &account->key, sizeof(account->key));
    return account;
}

int64_t limiter_recovery_max(const struct limiter *limiter)
{
    return (*limiter->options.operations_max + 1) / 2;
}

static int64_t places_max(const struct limiter *limiter, const struct account *account,
                          enum circuit_side side)
{
    int64_t of_recovery = limiter->slots[CIRCUIT_RECOVERY];
    int64_t free = *limiter->options.operations_max - limiter->slots[CIRCUIT_CALLERS] - of_recovery;
    int64_t free_to_recovery = limiter_recovery_max(limiter) - of_recovery;
    if (side == CIRCUIT_RECOVERY && free_to_recovery < free) {
        free = free_to_recovery;
    }
    int64_t max = free * SLOTS_OF_FREE;
    int64_t of_rate = account->rate * SLOTS_S;
    return account->rate > 0 && of_rate < max ? of_rate : max;
}

int64_t limiter_held_us(const struct limiter *limiter, const struct account *account, enum circuit_side side,
                        bool probe, int64_t now)
{
    bool held = !probe && circuit_holds(&limiter->circuit, &account->key.merchant_id);
    int64_t circuit_us = held ? circuit_wait_us(&limiter->circuit, side, now) : 0;
    int64_t pause_us = account->paused_until_us > now ? account->paused_until_us - now : 0;
    return circuit_us > pause_us ? circuit_us : pause_us;
}

int64_t limiter_spread_us(struct account *account, int64_t rate, int64_t wait_us, int64_t now)
{
    int64_t at_us = account->later_us > now + wait_us ? account->later_us : now + wait_us;
    account->later_us = at_us + pace_interval_us(rate);
    return at_us - now;
}

bool limiter_take(struct limiter *limiter, const struct uuid *merchant_id, bool livemode,
                  enum circuit_side side, struct limiter_slot *slot, int64_t *wait_us)
{
    int64_t now = limiter_now_us(limiter);
    limiter_lock(limiter);
    struct account *account = account_of(limiter, merchant_id, livemode);
    int64_t later_rate = account->rate;
    *wait_us = limiter_held_us(limiter, account, side, false, now);
    if (*wait_us == 0 && account->slots[side] >= places_max(limiter, account, side)) {
        *wait_us = FULL_WAIT_US;
        later_rate = account->rate > 0 ? account->rate : FULL_RATE;
    }
    bool taken = *wait_us == 0;
    if (taken) {
        bool probe = circuit_holds(&limiter->circuit, merchant_id);
        if (probe) {
            circuit_probe(&limiter->circuit, side, now, limiter_cap_us(limiter), limiter_random32(limiter));
        }
        account->slots[side]++;
        limiter->slots[side]++;
        list_remove(&account->idle);
        *slot = (struct limiter_slot){.limiter = limiter, .account = account, .side = side, .probe = probe};
    } else if (side == CIRCUIT_RECOVERY) {
        *wait_us = limiter_spread_us(account, later_rate, *wait_us, now);
    } else {
        limiter->stats.refused_total++;
    }
    limiter_unlock(limiter);
    return taken;
}

void limiter_release(struct limiter_slot *slot)
{
    struct limiter *limiter = slot->limiter;
    struct account *account = slot->account;
    if (limiter == NULL) {
        return;
    }
    limiter_lock(limiter);
    account->slots[slot->side]--;
    limiter->slots[slot->side]--;
    if (slot->probe && !slot->called) {
        circuit_probe_unsent(&limiter->circuit, slot->side);
    }
    if (account->slots[CIRCUIT_CALLERS] + account->slots[CIRCUIT_RECOVERY] == 0) {
        list_append(&limiter->idle, &account->idle);
    }
    limiter_unlock(limiter);
    slot->limiter = NULL;
}

void limiter_forget_idle(struct limiter *limiter)
{
    int64_t now = limiter_now_us(limiter);
    limiter_lock(limiter);
    while (!list_empty(&limiter->idle)) {
        struct account *account = CONTAINER_OF(limiter->idle.next, struct account, idle);
        if (account->pace.next_us > now || account->paused_until_us > now || account->later_us > now ||
            hourly_is_logged(&account->foreign, now)) {
            break;
        }
        list_remove(&account->idle);
        table_remove(&limiter->accounts, &account->node);
        free(account);
    }
    limiter_unlock(limiter);
}
