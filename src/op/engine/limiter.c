// Whose turn it is, and what answers mean for those who come later. Invariant: an account is in `waiting`
// while anything waits in its queues. Loop thread.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/engine/limiter_private.h"

// Calls of one account at once: the connections to a provider without HTTP/2 are shared, and are more.
#define CALLS_MAX 256
// What has waited so long is put back, so that an attempt's lease, a call's time-out and 30 s more, does not
// end while it waits. How long anything has waited is looked at so often.
#define QUEUED_MAX_US (20 * US_PER_S)
#define QUEUED_LOOK_US (1 * US_PER_S)
// A provider that answered nothing for so long was away. While it is silent an account may call once more
// every so often, however many of its calls hang: the first of these to be answered tells that it is back.
#define SILENCE_US (10 * US_PER_S)
#define SILENT_CALL_US (5 * US_PER_S)

static bool is_queued(const struct account *account)
{
    return !list_empty(&account->queues[CIRCUIT_CALLERS]) || !list_empty(&account->queues[CIRCUIT_RECOVERY]);
}

static void leave_queue(struct limiter *limiter, struct limiter_slot *slot)
{
    list_remove(&slot->link);
    limiter->stats.queued--;
    if (!is_queued(slot->account)) {
        list_remove(&slot->account->waiting);
    }
}

static struct limiter_slot *next_in_turn(struct account *account)
{
    if (list_empty(&account->queues[account->turn])) {
        account->turn = !account->turn;
    }
    struct limiter_slot *slot = CONTAINER_OF(account->queues[account->turn].next, struct limiter_slot, link);
    account->turn = !account->turn;
    return slot;
}

static void look_again_at(struct limiter *limiter, int64_t wait_us, int64_t now)
{
    if (now + wait_us < limiter->timer_due_us) {
        limiter->timer_due_us = now + wait_us;
        timer_start(limiter->options.loop, &limiter->timer, wait_us);
    }
}

static int64_t account_wait_us(struct limiter *limiter, const struct account *account, int64_t now)
{
    int64_t pace_us = account->rate > 0 ? pace_wait_us(&account->pace, now) : 0;
    limiter_lock(limiter);
    int64_t pause_us = account->paused_until_us - now;
    limiter_unlock(limiter);
    return pace_us > pause_us ? pace_us : pause_us;
}

static void note_call(struct limiter *limiter, struct limiter_slot *slot, int64_t now)
{
    if (list_empty(&limiter->calling)) {
        limiter->silent_since_us = now;
    }
    list_append(&limiter->calling, &slot->link);
    slot->called = true;
    slot->abandoned = false;
    slot->account->calling++;
    pace_take(&slot->account->pace, slot->account->rate, now);
}

static int64_t calls_max(const struct limiter *limiter, int64_t now)
{
    bool calling = !list_empty(&limiter->calling);
    return CALLS_MAX + (calling ? (now - limiter->silent_since_us) / SILENT_CALL_US : 0);
}

static void call_those_in_turn(struct limiter *limiter, struct account *account)
{
    int64_t now = limiter_now_us(limiter);
    int64_t look_us = QUEUED_LOOK_US;
    while (is_queued(account) && account->calling < calls_max(limiter, now)) {
        int64_t wait_us = account_wait_us(limiter, account, now);
        if (wait_us > 0) {
            look_us = wait_us < look_us ? wait_us : look_us;
            break;
        }
        struct limiter_slot *slot = next_in_turn(account);
        leave_queue(limiter, slot);
        if (limiter->options.call(slot)) {
            note_call(limiter, slot, now);
        }
    }
    if (is_queued(account)) {
        look_again_at(limiter, look_us, now);
    }
}

static void requeue(struct limiter *limiter, struct limiter_slot *slot, int64_t wait_us)
{
    limiter_lock(limiter);
    int64_t spread = limiter_spread_us(slot->account, slot->account->rate, wait_us, limiter_now_us(limiter));
    limiter_unlock(limiter);
    limiter->options.requeue(slot, spread);
}

// Puts back what waits since before that time; of what has called before only where `begun` says so: it would
// have to begin anew.
static void requeue_waiting(struct limiter *limiter, struct account *account, int64_t before_us, bool begun,
                            int64_t wait_us)
{
    for (int side = 0; side < CIRCUIT_SIDE_COUNT; side++) {
        LIST_EACH_SAFE(&account->queues[side], node, after)
        {
            struct limiter_slot *slot = CONTAINER_OF(node, struct limiter_slot, link);
            if (slot->queued_us < before_us && (!slot->called || begun)) {
                leave_queue(limiter, slot);
                requeue(limiter, slot, wait_us);
            }
        }
    }
}

static void on_timer(struct timer *timer)
{
    struct limiter *limiter = CONTAINER_OF(timer, struct limiter, timer);
    int64_t overdue_us = limiter_now_us(limiter) - QUEUED_MAX_US;
    limiter->timer_due_us = INT64_MAX;
    LIST_EACH_SAFE(&limiter->waiting, node, after)
    {
        struct account *account = CONTAINER_OF(node, struct account, waiting);
        requeue_waiting(limiter, account, overdue_us, false, 0);
        call_those_in_turn(limiter, account);
    }
}

void limiter_requeue_all(struct limiter *limiter)
{
    LIST_EACH_SAFE(&limiter->waiting, node, after)
    {
        requeue_waiting(limiter, CONTAINER_OF(node, struct account, waiting), INT64_MAX, true, 0);
    }
}

void limiter_call(struct limiter_slot *slot)
{
    struct limiter *limiter = slot->limiter;
    struct account *account = slot->account;
    int64_t now = limiter_now_us(limiter);
    limiter_lock(limiter);
    int64_t held_us = limiter_held_us(limiter, account, slot->side, slot->probe, now);
    limiter_unlock(limiter);
    if (held_us > 0 && !slot->called) {
        requeue(limiter, slot, held_us);
        return;
    }
    slot->queued_us = now;
    struct list *queue = &account->queues[slot->side];
    list_append(slot->called ? queue->next : queue, &slot->link); // the rest of what has begun goes first
    limiter->stats.queued++;
    if (!list_linked(&account->waiting)) {
        list_append(&limiter->waiting, &account->waiting);
    }
    call_those_in_turn(limiter, account);
}

// --- answers

// Calls that were under way together are told together: that is one pause.
static void pause_account(struct limiter *limiter, struct account *account, int64_t asked_us, int64_t now)
{
    limiter->stats.limited_total++;
    if (account->paused_until_us <= now) {
        account->pauses++;
    }
    int told = account->pauses > 0 ? account->pauses : 1; // one that was answered well may have begun before
    int64_t pause_us = retry_provider_delay_us(told, limiter_cap_us(limiter), limiter_random32(limiter));
    pause_us = asked_us > pause_us ? asked_us : pause_us;
    if (now + pause_us > account->paused_until_us) {
        account->paused_until_us = now + pause_us;
    }
}

// The first answer behind a silence: what was called before the call that is answered would hang on until its
// time is over, although the provider is back. To give that up is as safe as a time-out, and if it is being
// carried out still, asking again costs a call.
static void abandon_what_hangs(struct limiter *limiter, const struct limiter_slot *answered, int64_t now)
{
    bool back = now - limiter->silent_since_us >= SILENCE_US;
    limiter->silent_since_us = now;
    for (struct list *node = limiter->calling.next; back && node != &answered->link; node = node->next) {
        struct limiter_slot *slot = CONTAINER_OF(node, struct limiter_slot, link);
        slot->abandoned = true;
        limiter->options.timeout_answer(slot);
    }
}

static void circuit_opened(struct limiter *limiter, const char *reason)
{
    LOG(LOG_ERROR, "the provider is unreachable: calls to it are held back until it answers a probe",
        LOG_STR("merchants", limiter->circuit.several ? "all" : "one"), LOG_STR("trouble", reason));
    limiter->stats.circuit_opened_total++;
    LIST_EACH_SAFE(&limiter->waiting, node, after)
    {
        struct account *account = CONTAINER_OF(node, struct account, waiting);
        if (circuit_holds(&limiter->circuit, &account->key.merchant_id)) {
            requeue_waiting(limiter, account, INT64_MAX, false, 0);
        }
    }
}

static void note_foreign(struct account *account, const struct provider_answer *answer, int64_t now)
{
    account->foreign.count++;
    int64_t count = hourly_take(&account->foreign, now);
    if (count > 0) {
        char id[UUID_TEXT_BYTES];
        uuid_format(&account->key.merchant_id, id);
        LOG(LOG_WARN, "an answer did not come from Stripe: check PAYMENTS_STRIPE_API_BASE and the proxy",
            LOG_STR("merchant_id", id), LOG_STR("mode", account->key.livemode ? "live" : "test"),
            LOG_INT("status", answer->status), LOG_INT("times", count));
    }
}

void limiter_answered(struct limiter_slot *slot, const struct uuid *operation,
                      const struct provider_answer *answer)
{
    struct limiter *limiter = slot->limiter;
    struct account *account = slot->account;
    int64_t now = limiter_now_us(limiter);
    bool opened = false;
    bool closed = false;
    if (!answer->unreachable) {
        abandon_what_hangs(limiter, slot, now);
    }
    if (answer->foreign) {
        note_foreign(account, answer, now);
    }
    list_remove(&slot->link);
    account->calling--;
    limiter_lock(limiter);
    bool counted_before = answer->lost_connection != 0 && answer->lost_connection == limiter->lost_connection;
    if (answer->unreachable && !slot->abandoned && !counted_before) {
        limiter->lost_connection = answer->lost_connection;
        opened = circuit_failed(&limiter->circuit, &account->key.merchant_id, operation, now,
                                limiter_cap_us(limiter), limiter_random32(limiter));
    } else if (!answer->unreachable) {
        closed = circuit_answered(&limiter->circuit);
    }
    if (answer->limited) {
        pause_account(limiter, account, answer->retry_after_us, now);
    } else if (!answer->unreachable) {
        account->pauses = 0;
    }
    limiter_unlock(limiter);
    if (opened) {
        circuit_opened(limiter, answer->reason);
    } else if (closed) {
        LOG(LOG_INFO, "the provider answers again");
        limiter->options.resumed(limiter->options.context);
    }
    if (answer->limited) {
        requeue_waiting(limiter, account, INT64_MAX, false, account_wait_us(limiter, account, now));
    }
    call_those_in_turn(limiter, account);
    limiter_forget_idle(limiter);
}

int64_t limiter_claims_max(struct limiter *limiter, int64_t *wait_us)
{
    limiter_lock(limiter);
    bool held = circuit_holds_all(&limiter->circuit);
    *wait_us = held ? circuit_wait_us(&limiter->circuit, CIRCUIT_RECOVERY, limiter_now_us(limiter)) : 0;
    limiter_unlock(limiter);
    if (*wait_us > 0) {
        return 0;
    }
    return held ? 1 : INT64_MAX;
}

void limiter_stats(struct limiter *limiter, struct limiter_stats *stats)
{
    limiter_lock(limiter);
    *stats = limiter->stats;
    stats->circuit_open = limiter->circuit.open;
    limiter_unlock(limiter);
}

struct limiter *limiter_open(const struct limiter_options *options)
{
    struct limiter *limiter = calloc(1, sizeof(*limiter));
    REQUIRE(limiter != NULL);
    limiter->options = *options;
    REQUIRE(pthread_mutex_init(&limiter->mutex, NULL) == 0);
    list_init(&limiter->idle);
    list_init(&limiter->waiting);
    list_init(&limiter->calling);
    timer_init(&limiter->timer, on_timer);
    limiter->timer_due_us = INT64_MAX;
    return limiter;
}

static void free_account(struct table_node *node, void *context)
{
    struct limiter *limiter = context;
    table_remove(&limiter->accounts, node);
    free(CONTAINER_OF(node, struct account, node));
}

void limiter_close(struct limiter *limiter, void (*drop)(struct limiter_slot *slot))
{
    timer_stop(limiter->options.loop, &limiter->timer);
    while (!list_empty(&limiter->waiting)) {
        struct account *account = CONTAINER_OF(limiter->waiting.next, struct account, waiting);
        struct limiter_slot *slot = next_in_turn(account);
        leave_queue(limiter, slot);
        drop(slot);
    }
    table_each(&limiter->accounts, free_account, limiter);
    table_release(&limiter->accounts);
    (void)pthread_mutex_destroy(&limiter->mutex);
    free(limiter);
}
