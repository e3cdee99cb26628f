// Who may begin an attempt at all: an account has so many places, none while its calls are held back.
// Invariant: an account is in `idle` while nobody holds a place of it, and only idle ones are freed. Any
// thread: database threads take places in the transactions that plan, so all of this is touched under the
// mutex.
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "op/governor_private.h"

// An account may have so many seconds' worth of its pace under way or waiting, of callers and of recovery
// each: at that pace nobody waits longer than both together, and an attempt's lease is longer still.
#define PLACES_S 5
// On each side it may hold so many times the places that are free there. One account alone has three quarters
// then, two have three sevenths each, and there are always some for the next.
#define PLACES_OF_FREE 3
// An operation that found no place asks again after this, and those of an account without a pace at so many
// a second: each time is a write.
#define FULL_WAIT_US (1 * US_PER_S)
#define FULL_RATE 1000

void governor_lock(struct governor *governor)
{
    REQUIRE(pthread_mutex_lock(&governor->mutex) == 0);
}

void governor_unlock(struct governor *governor)
{
    REQUIRE(pthread_mutex_unlock(&governor->mutex) == 0);
}

int64_t governor_now_us(struct governor *governor)
{
    return loop_mono_us(governor->options.loop);
}

int64_t governor_cap_us(const struct governor *governor)
{
    return *governor->options.reconcile_interval_ms * US_PER_MS;
}

uint32_t governor_random32(struct governor *governor)
{
    uint32_t value = 0;
    governor->options.random->fill(governor->options.random, &value, sizeof(value));
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

static struct account *account_of(struct governor *governor, const struct uuid *merchant_id, bool livemode)
{
    struct account_key key = account_key(merchant_id, livemode);
    struct table_node *node = table_find(&governor->accounts, &key, sizeof(key));
    if (node != NULL) {
        return CONTAINER_OF(node, struct account, node);
    }
    struct account *account = calloc(1, sizeof(*account));
    REQUIRE(account != NULL);
    account->key = key;
    account->rate = livemode ? governor->options.rates.live : governor->options.rates.test;
    list_init(&account->waiting);
    for (int side = 0; side < CIRCUIT_SIDE_COUNT; side++) {
        list_init(&account->queues[side]);
    }
    list_append(&governor->idle, &account->idle);
    table_insert(&governor->accounts, &account->node, &account->key, sizeof(account->key));
    return account;
}

int64_t governor_recovery_max(const struct governor *governor)
{
    return (*governor->options.operations_max + 1) / 2;
}

static int64_t places_max(const struct governor *governor, const struct account *account,
                          enum circuit_side side)
{
    int64_t of_recovery = governor->places[CIRCUIT_RECOVERY];
    int64_t free = *governor->options.operations_max - governor->places[CIRCUIT_CALLERS] - of_recovery;
    int64_t free_to_recovery = governor_recovery_max(governor) - of_recovery;
    if (side == CIRCUIT_RECOVERY && free_to_recovery < free) {
        free = free_to_recovery;
    }
    int64_t max = free * PLACES_OF_FREE;
    int64_t of_rate = account->rate * PLACES_S;
    return account->rate > 0 && of_rate < max ? of_rate : max;
}

int64_t governor_held_us(const struct governor *governor, const struct account *account,
                         enum circuit_side side, bool probe, int64_t now)
{
    bool held = !probe && circuit_holds(&governor->circuit, &account->key.merchant_id);
    int64_t circuit_us = held ? circuit_wait_us(&governor->circuit, side, now) : 0;
    int64_t pause_us = account->paused_until_us > now ? account->paused_until_us - now : 0;
    return circuit_us > pause_us ? circuit_us : pause_us;
}

int64_t governor_spread_us(struct account *account, int64_t rate, int64_t wait_us, int64_t now)
{
    int64_t at_us = account->later_us > now + wait_us ? account->later_us : now + wait_us;
    account->later_us = at_us + pace_interval_us(rate);
    return at_us - now;
}

bool governor_take(struct governor *governor, const struct uuid *merchant_id, bool livemode,
                   enum circuit_side side, struct place *place, int64_t *wait_us)
{
    int64_t now = governor_now_us(governor);
    governor_lock(governor);
    struct account *account = account_of(governor, merchant_id, livemode);
    int64_t later_rate = account->rate;
    *wait_us = governor_held_us(governor, account, side, false, now);
    if (*wait_us == 0 && account->places[side] >= places_max(governor, account, side)) {
        *wait_us = FULL_WAIT_US;
        later_rate = account->rate > 0 ? account->rate : FULL_RATE;
    }
    bool taken = *wait_us == 0;
    if (taken) {
        bool probe = circuit_holds(&governor->circuit, merchant_id);
        if (probe) {
            circuit_probe(&governor->circuit, side, now, governor_cap_us(governor),
                          governor_random32(governor));
        }
        account->places[side]++;
        governor->places[side]++;
        list_remove(&account->idle);
        *place = (struct place){.governor = governor, .account = account, .side = side, .probe = probe};
    } else if (side == CIRCUIT_RECOVERY) {
        *wait_us = governor_spread_us(account, later_rate, *wait_us, now);
    } else {
        governor->stats.refused_total++;
    }
    governor_unlock(governor);
    return taken;
}

void governor_give_back(struct place *place)
{
    struct governor *governor = place->governor;
    struct account *account = place->account;
    if (governor == NULL) {
        return;
    }
    governor_lock(governor);
    account->places[place->side]--;
    governor->places[place->side]--;
    if (place->probe && !place->called) {
        circuit_probe_unsent(&governor->circuit, place->side);
    }
    if (account->places[CIRCUIT_CALLERS] + account->places[CIRCUIT_RECOVERY] == 0) {
        list_append(&governor->idle, &account->idle);
    }
    governor_unlock(governor);
    place->governor = NULL;
}

void governor_forget_idle(struct governor *governor)
{
    int64_t now = governor_now_us(governor);
    governor_lock(governor);
    while (!list_empty(&governor->idle)) {
        struct account *account = CONTAINER_OF(governor->idle.next, struct account, idle);
        if (account->pace.next_us > now || account->paused_until_us > now || account->later_us > now ||
            hourly_is_told(&account->foreign, now)) {
            break;
        }
        list_remove(&account->idle);
        table_remove(&governor->accounts, &account->node);
        free(account);
    }
    governor_unlock(governor);
}
