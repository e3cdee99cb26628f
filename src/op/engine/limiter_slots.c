// Who gets a slot, and the states of slots. An account gets a limited number of slots, and none while its
// calls are held back. Any thread: database threads take slots in the transactions that plan, so limiter_take
// and limiter_release work under the mutex. Functions that are bound to the loop thread say so in
// limiter_private.h.
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/limiter_private.h"

// An account may have this many seconds' worth of its pace in flight or queued, for each source of calls. So
// at that pace no call waits longer than for both sources together, and an attempt's lease is longer still.
#define SLOTS_S 5
// For each source an account may hold this many times the slots that are free. One account alone then holds
// three quarters of all slots, two hold three sevenths each, and some are always left for the next.
#define SLOTS_OF_FREE 3
// An operation that got no slot asks again after this time. Operations of an account without a pace ask again
// at this many a second, because each time is a write.
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

// --- the states of a slot

// A slot leaves the queue for the state that it was queued from: then its call is sent, or the slot is
// requeued. Every state may become free: an attempt may end in any of them when the process stops.
static const bool moves[SLOT_STATE_COUNT][SLOT_STATE_COUNT] = {
    [SLOT_FREE] = {[SLOT_HELD] = true},
    [SLOT_HELD] = {[SLOT_QUEUED] = true, [SLOT_CALLING] = true, [SLOT_FREE] = true},
    [SLOT_QUEUED] = {[SLOT_HELD] = true, [SLOT_FREE] = true},
    [SLOT_CALLING] = {[SLOT_ANSWERED] = true, [SLOT_ABANDONED] = true, [SLOT_FREE] = true},
    [SLOT_ABANDONED] = {[SLOT_ANSWERED] = true, [SLOT_FREE] = true},
    [SLOT_ANSWERED] = {[SLOT_QUEUED_AGAIN] = true, [SLOT_CALLING] = true, [SLOT_FREE] = true},
    [SLOT_QUEUED_AGAIN] = {[SLOT_ANSWERED] = true, [SLOT_FREE] = true},
};

bool limiter_can_move(enum limiter_slot_state from, enum limiter_slot_state to)
{
    REQUIRE((unsigned)from < SLOT_STATE_COUNT && (unsigned)to < SLOT_STATE_COUNT);
    return moves[from][to];
}

bool limiter_is_queued(const struct account *account)
{
    return !list_empty(&account->queues[CALL_FROM_API]) || !list_empty(&account->queues[CALL_FROM_RECOVERY]);
}

static void leave_state(struct limiter *limiter, struct account *account, struct limiter_slot *slot)
{
    switch (slot->state) {
    case SLOT_FREE:
        list_remove(&account->idle_link);
        account->slots[slot->source]++;
        limiter->slots[slot->source]++;
        break;
    case SLOT_QUEUED:
    case SLOT_QUEUED_AGAIN:
        list_remove(&slot->link);
        limiter->stats.queued--;
        if (!limiter_is_queued(account)) {
            list_remove(&account->queued_link);
        }
        break;
    case SLOT_CALLING:
    case SLOT_ABANDONED:
        list_remove(&slot->link);
        account->in_flight--;
        limiter->in_flight--;
        break;
    case SLOT_HELD:
    case SLOT_ANSWERED:
    case SLOT_STATE_COUNT:
        break; // in no list
    }
}

static void enter_state(struct limiter *limiter, struct account *account, struct limiter_slot *slot)
{
    struct list *queue = &account->queues[slot->source];
    switch (slot->state) {
    case SLOT_FREE:
        account->slots[slot->source]--;
        limiter->slots[slot->source]--;
        if (account->slots[CALL_FROM_API] + account->slots[CALL_FROM_RECOVERY] == 0) {
            list_append(&limiter->idle, &account->idle_link);
        }
        break;
    case SLOT_QUEUED:
    case SLOT_QUEUED_AGAIN: // goes first, so that an attempt that has begun ends soon
        list_append(slot->state == SLOT_QUEUED ? queue : queue->next, &slot->link);
        limiter->stats.queued++;
        if (!list_linked(&account->queued_link)) {
            list_append(&limiter->queued, &account->queued_link);
        }
        break;
    case SLOT_CALLING:
    case SLOT_ABANDONED:
        list_append(slot->state == SLOT_CALLING ? &limiter->calling : &limiter->abandoned, &slot->link);
        account->in_flight++;
        limiter->in_flight++;
        break;
    case SLOT_HELD:
    case SLOT_ANSWERED:
    case SLOT_STATE_COUNT:
        break; // in no list
    }
}

void limiter_move(struct limiter_slot *slot, enum limiter_slot_state to)
{
    REQUIRE(limiter_can_move(slot->state, to));
    leave_state(slot->limiter, slot->account, slot);
    slot->state = to;
    enter_state(slot->limiter, slot->account, slot);
}

// --- who gets one

static struct account *account_of(struct limiter *limiter, const struct uuid *merchant_id, bool livemode)
{
    struct account_key key;
    memset(&key, 0, sizeof(key)); // the table compares its bytes
    key.merchant_id = *merchant_id;
    key.livemode = livemode;
    struct table_node *node = table_find(&limiter->accounts, &key, sizeof(key));
    if (node != NULL) {
        return CONTAINER_OF(node, struct account, node);
    }
    struct account *account = calloc(1, sizeof(*account));
    REQUIRE(account != NULL);
    account->key = key;
    account->rate = livemode ? limiter->options.rates.live : limiter->options.rates.test;
    list_init(&account->queued_link);
    for (int source = 0; source < CALL_SOURCE_COUNT; source++) {
        list_init(&account->queues[source]);
    }
    list_append(&limiter->idle, &account->idle_link);
    table_insert(&limiter->accounts, &account->node, &account->key, sizeof(account->key));
    return account;
}

int64_t limiter_rate(const struct limiter *limiter, const struct account *account)
{
    return pace_share(account->rate, limiter->nodes);
}

int64_t limiter_recovery_max(const struct limiter *limiter)
{
    return (*limiter->options.operations_max + 1) / 2;
}

static int64_t slots_max(const struct limiter *limiter, const struct account *account,
                         enum call_source source)
{
    int64_t of_recovery = limiter->slots[CALL_FROM_RECOVERY];
    int64_t free = *limiter->options.operations_max - limiter->slots[CALL_FROM_API] - of_recovery;
    int64_t free_to_recovery = limiter_recovery_max(limiter) - of_recovery;
    if (source == CALL_FROM_RECOVERY && free_to_recovery < free) {
        free = free_to_recovery;
    }
    int64_t max = free * SLOTS_OF_FREE;
    int64_t of_rate = limiter_rate(limiter, account) * SLOTS_S;
    return account->rate > 0 && of_rate < max ? of_rate : max;
}

int64_t limiter_held_us(const struct limiter *limiter, const struct account *account, enum call_source source,
                        bool probe, int64_t now)
{
    bool held = !probe && circuit_holds(&limiter->circuit, &account->key.merchant_id);
    int64_t circuit_us = held ? circuit_wait_us(&limiter->circuit, source, now) : 0;
    int64_t pause_us = account->paused_until_us > now ? account->paused_until_us - now : 0;
    return circuit_us > pause_us ? circuit_us : pause_us;
}

int64_t limiter_spread_us(struct account *account, int64_t rate, int64_t wait_us, int64_t now)
{
    int64_t at_us = account->next_retry_us > now + wait_us ? account->next_retry_us : now + wait_us;
    account->next_retry_us = at_us + pace_interval_us(rate);
    return at_us - now;
}

bool limiter_take(struct limiter *limiter, const struct uuid *merchant_id, bool livemode,
                  enum call_source source, struct limiter_slot *slot, int64_t *wait_us)
{
    int64_t now = limiter_now_us(limiter);
    limiter_lock(limiter);
    struct account *account = account_of(limiter, merchant_id, livemode);
    int64_t retry_rate = limiter_rate(limiter, account);
    *wait_us = limiter_held_us(limiter, account, source, false, now);
    if (*wait_us == 0 && account->slots[source] >= slots_max(limiter, account, source)) {
        *wait_us = FULL_WAIT_US;
        retry_rate = retry_rate > 0 ? retry_rate : FULL_RATE;
    }
    bool taken = *wait_us == 0;
    if (taken) {
        bool probe = circuit_holds(&limiter->circuit, merchant_id);
        if (probe) {
            circuit_probe(&limiter->circuit, source, now, limiter_cap_us(limiter),
                          random_u32(limiter->options.random));
        }
        *slot =
            (struct limiter_slot){.limiter = limiter, .account = account, .source = source, .probe = probe};
        limiter_move(slot, SLOT_HELD);
    } else if (source == CALL_FROM_RECOVERY) {
        *wait_us = limiter_spread_us(account, retry_rate, *wait_us, now);
    } else {
        limiter->stats.refused_total++;
    }
    limiter_unlock(limiter);
    return taken;
}

void limiter_release(struct limiter_slot *slot)
{
    struct limiter *limiter = slot->limiter;
    if (slot->state == SLOT_FREE) {
        return;
    }
    limiter_lock(limiter);
    if (slot->probe && !limiter_slot_has_called(slot)) {
        circuit_probe_unsent(&limiter->circuit, slot->source);
    }
    limiter_move(slot, SLOT_FREE);
    limiter_unlock(limiter);
}

void limiter_forget_idle(struct limiter *limiter)
{
    int64_t now = limiter_now_us(limiter);
    limiter_lock(limiter);
    while (!list_empty(&limiter->idle)) {
        struct account *account = CONTAINER_OF(limiter->idle.next, struct account, idle_link);
        if (account->pace.next_us > now || account->paused_until_us > now || account->next_retry_us > now ||
            hourly_is_logged(&account->foreign, now)) {
            break;
        }
        list_remove(&account->idle_link);
        table_remove(&limiter->accounts, &account->node);
        free(account);
    }
    limiter_unlock(limiter);
}
