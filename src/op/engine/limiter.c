// In which order the calls of accounts are sent, and what their answers mean for later calls. Loop thread.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/engine/limiter_private.h"

// Calls of one account in flight. Without HTTP/2 they share the connections to the provider, which are more.
#define CALLS_MAX 256
// A slot that was queued for this long is requeued, so that its attempt's lease (a call's time-out and 30 s)
// does not end while it waits. The queues are checked for such slots this often.
#define QUEUED_MAX_US (20 * US_PER_S)
#define QUEUED_LOOK_US (1 * US_PER_S)
// A provider that answered nothing for this long was unreachable. During a silence an account may make one
// more call for each of these intervals, even if all its calls hang: the first answer shows that the provider
// is back.
#define SILENCE_US (10 * US_PER_S)
#define SILENT_CALL_US (5 * US_PER_S)

// --- calls

// The account has queued slots. The queues of API and recovery alternate.
static struct limiter_slot *next_in_queue(struct account *account)
{
    if (list_empty(&account->queues[account->next_source])) {
        account->next_source = !account->next_source;
    }
    struct list *queue = &account->queues[account->next_source];
    account->next_source = !account->next_source;
    return CONTAINER_OF(queue->next, struct limiter_slot, link);
}

static void dequeue(struct limiter_slot *slot)
{
    limiter_move(slot, limiter_slot_has_called(slot) ? SLOT_ANSWERED : SLOT_HELD);
}

static int64_t account_wait_us(struct limiter *limiter, const struct account *account, int64_t now)
{
    int64_t pace_us = limiter_rate(limiter, account) > 0 ? pace_wait_us(&account->pace, now) : 0;
    limiter_lock(limiter);
    int64_t pause_us = account->paused_until_us - now;
    limiter_unlock(limiter);
    return pace_us > pause_us ? pace_us : pause_us;
}

static void call_those_queued(struct limiter *limiter, struct account *account)
{
    int64_t now = limiter_now_us(limiter);
    int64_t look_us = QUEUED_LOOK_US;
    while (limiter_is_queued(account)) {
        int64_t silent_us = limiter->in_flight > 0 ? now - limiter->silent_since_us : 0;
        if (account->in_flight >= CALLS_MAX + silent_us / SILENT_CALL_US) {
            break;
        }
        int64_t wait_us = account_wait_us(limiter, account, now);
        if (wait_us > 0) {
            look_us = wait_us < look_us ? wait_us : look_us;
            break;
        }
        struct limiter_slot *slot = next_in_queue(account);
        dequeue(slot);
        if (limiter->options.call(slot)) {
            if (limiter->in_flight == 0) {
                limiter->silent_since_us = now;
            }
            limiter_move(slot, SLOT_CALLING);
            pace_take(&account->pace, limiter_rate(limiter, account), now);
        }
    }
    if (limiter_is_queued(account) && now + look_us < limiter->timer_due_us) {
        limiter->timer_due_us = now + look_us;
        timer_start(limiter->options.loop, &limiter->timer, look_us);
    }
}

static void requeue(struct limiter *limiter, struct limiter_slot *slot, int64_t wait_us)
{
    limiter_lock(limiter);
    int64_t spread_us = limiter_spread_us(slot->account, limiter_rate(limiter, slot->account), wait_us,
                                          limiter_now_us(limiter));
    limiter_unlock(limiter);
    limiter->options.requeue(slot, spread_us);
}

// Requeues the account's slots that were queued before before_us. A slot that has called stays queued unless
// `called` is true, because its attempt would start again.
static void requeue_queued(struct limiter *limiter, struct account *account, int64_t before_us, bool called,
                           int64_t wait_us)
{
    for (int source = 0; source < CALL_SOURCE_COUNT; source++) {
        LIST_EACH_SAFE(&account->queues[source], node, after)
        {
            struct limiter_slot *slot = CONTAINER_OF(node, struct limiter_slot, link);
            if (slot->queued_us < before_us && (called || !limiter_slot_has_called(slot))) {
                dequeue(slot);
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
    LIST_EACH_SAFE(&limiter->queued, node, after)
    {
        struct account *account = CONTAINER_OF(node, struct account, queued_link);
        requeue_queued(limiter, account, overdue_us, false, 0);
        call_those_queued(limiter, account);
    }
}

void limiter_requeue_all(struct limiter *limiter)
{
    LIST_EACH_SAFE(&limiter->queued, node, after)
    {
        requeue_queued(limiter, CONTAINER_OF(node, struct account, queued_link), INT64_MAX, true, 0);
    }
}

void limiter_set_nodes(struct limiter *limiter, int64_t nodes)
{
    limiter_lock(limiter);
    limiter->nodes = nodes;
    limiter_unlock(limiter);
}

void limiter_call(struct limiter_slot *slot)
{
    struct limiter *limiter = slot->limiter;
    struct account *account = slot->account;
    bool has_called = limiter_slot_has_called(slot);
    int64_t now = limiter_now_us(limiter);
    limiter_lock(limiter);
    int64_t held_us = limiter_held_us(limiter, account, slot->source, slot->probe, now);
    limiter_unlock(limiter);
    if (held_us > 0 && !has_called) {
        requeue(limiter, slot, held_us);
        return;
    }
    slot->queued_us = now;
    limiter_move(slot, has_called ? SLOT_QUEUED_AGAIN : SLOT_QUEUED);
    call_those_queued(limiter, account);
}

// --- answers

// Calls that were in flight together may all get this answer, which makes one pause.
static void pause_account(struct limiter *limiter, struct account *account, int64_t retry_after_us,
                          int64_t now)
{
    limiter->stats.limited_total++;
    if (account->paused_until_us <= now) {
        account->pauses++;
    }
    // Another call's good answer may have ended the pauses meanwhile.
    int pauses = account->pauses > 0 ? account->pauses : 1;
    int64_t pause_us =
        retry_provider_delay_us(pauses, limiter_cap_us(limiter), random_u32(limiter->options.random));
    pause_us = retry_after_us > pause_us ? retry_after_us : pause_us;
    if (now + pause_us > account->paused_until_us) {
        account->paused_until_us = now + pause_us;
    }
}

// Handles the first answer after a silence. Calls that were sent before the answered one would hang until
// they time out, although the provider is back. To abandon them is as safe as a time-out. If the provider
// still processes one, sending it again only costs a call.
static void abandon_hanging(struct limiter *limiter, const struct limiter_slot *answered, int64_t now)
{
    bool back = now - limiter->silent_since_us >= SILENCE_US;
    limiter->silent_since_us = now;
    if (!back || answered->state == SLOT_ABANDONED) { // all before an abandoned call are abandoned, too
        return;
    }
    while (limiter->calling.next != &answered->link) {
        struct limiter_slot *slot = CONTAINER_OF(limiter->calling.next, struct limiter_slot, link);
        limiter_move(slot, SLOT_ABANDONED);
        limiter->options.abandon_call(slot);
    }
}

static void requeue_held(struct limiter *limiter)
{
    LIST_EACH_SAFE(&limiter->queued, node, after)
    {
        struct account *account = CONTAINER_OF(node, struct account, queued_link);
        if (circuit_holds(&limiter->circuit, &account->key.merchant_id)) {
            requeue_queued(limiter, account, INT64_MAX, false, 0);
        }
    }
}

static void circuit_opened(struct limiter *limiter, const char *reason)
{
    LOG(LOG_ERROR, "the provider is unreachable: calls to it are held back until it answers a probe",
        LOG_STR("merchants", limiter->circuit.several ? "all" : "one"), LOG_STR("reason", reason));
    limiter->stats.circuit_opened_total++;
    requeue_held(limiter);
}

static void circuit_closed(struct limiter *limiter)
{
    LOG(LOG_INFO, "the provider answers again");
    limiter->options.resumed(limiter->options.context);
}

void limiter_follow_circuit(struct limiter *limiter, const struct uuid *merchant, bool open)
{
    limiter_lock(limiter);
    const bool changed =
        open ? circuit_follow_open(&limiter->circuit, merchant, limiter_now_us(limiter),
                                   limiter_cap_us(limiter), random_u32(limiter->options.random))
             : circuit_follow_closed(&limiter->circuit);
    limiter_unlock(limiter);
    if (changed && open) {
        circuit_opened(limiter, "another node says so");
    } else if (changed) {
        circuit_closed(limiter);
    }
}

static void tell_circuit(const struct limiter *limiter, const struct circuit *changed, bool open)
{
    if (limiter->options.circuit_changed != NULL) {
        limiter->options.circuit_changed(limiter->options.context,
                                         changed->several ? NULL : &changed->merchant, open);
    }
}

static void note_foreign(struct account *account, const struct provider_answer *answer, int64_t now)
{
    account->foreign.count++;
    int64_t count = hourly_take(&account->foreign, now);
    if (count > 0) {
        char id[UUID_TEXT_BYTES];
        uuid_format(&account->key.merchant_id, id);
        LOG(LOG_WARN, "an answer did not come from the provider: check its address and the proxy",
            LOG_STR("setting", provider_default()->api_base_setting), LOG_STR("merchant_id", id),
            LOG_STR("mode", account->key.livemode ? "live" : "test"), LOG_INT("status", answer->status),
            LOG_INT("times", count));
    }
}

void limiter_answered(struct limiter_slot *slot, const struct uuid *operation,
                      const struct provider_answer *answer)
{
    struct limiter *limiter = slot->limiter;
    struct account *account = slot->account;
    int64_t now = limiter_now_us(limiter);
    bool abandoned = slot->state == SLOT_ABANDONED;
    bool opened = false;
    bool closed = false;
    struct circuit before;
    if (!answer->unreachable) {
        abandon_hanging(limiter, slot, now);
    }
    if (answer->foreign) {
        note_foreign(account, answer, now);
    }
    limiter_move(slot, SLOT_ANSWERED);
    limiter_lock(limiter);
    before = limiter->circuit;
    bool counted_before = answer->lost_connection != 0 && answer->lost_connection == limiter->lost_connection;
    if (answer->unreachable && !abandoned && !counted_before) {
        limiter->lost_connection = answer->lost_connection;
        opened = circuit_failed(&limiter->circuit, &account->key.merchant_id, operation, now,
                                limiter_cap_us(limiter), random_u32(limiter->options.random));
    } else if (!answer->unreachable) {
        closed = circuit_answered(&limiter->circuit, now);
    }
    if (answer->limited) {
        pause_account(limiter, account, answer->retry_after_us, now);
    } else if (!answer->unreachable) {
        account->pauses = 0;
    }
    limiter_unlock(limiter);
    if (opened) {
        tell_circuit(limiter, &limiter->circuit, true);
        circuit_opened(limiter, answer->reason);
    } else if (closed) {
        tell_circuit(limiter, &before, false);
        circuit_closed(limiter);
    }
    if (answer->limited) {
        requeue_queued(limiter, account, INT64_MAX, false, account_wait_us(limiter, account, now));
    }
    call_those_queued(limiter, account);
    limiter_forget_idle(limiter);
}

int64_t limiter_claims_max(struct limiter *limiter, int64_t *wait_us)
{
    limiter_lock(limiter);
    bool held = circuit_holds_all(&limiter->circuit);
    *wait_us = held ? circuit_wait_us(&limiter->circuit, CALL_FROM_RECOVERY, limiter_now_us(limiter)) : 0;
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
    list_init(&limiter->queued);
    list_init(&limiter->calling);
    list_init(&limiter->abandoned);
    limiter->nodes = 1;
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
    while (!list_empty(&limiter->queued)) {
        drop(next_in_queue(CONTAINER_OF(limiter->queued.next, struct account, queued_link)));
    }
    table_each(&limiter->accounts, free_account, limiter);
    table_release(&limiter->accounts);
    (void)pthread_mutex_destroy(&limiter->mutex);
    free(limiter);
}
