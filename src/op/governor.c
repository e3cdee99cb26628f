// Whose turn it is, and what answers mean for those who come later. Invariant: an account is in `waiting`
// while anything waits in its queues. Loop thread.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/governor_private.h"

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

static void leave_queue(struct governor *governor, struct place *place)
{
    list_remove(&place->link);
    governor->stats.queued--;
    if (!is_queued(place->account)) {
        list_remove(&place->account->waiting);
    }
}

static struct place *next_in_turn(struct account *account)
{
    if (list_empty(&account->queues[account->turn])) {
        account->turn = !account->turn;
    }
    struct place *place = CONTAINER_OF(account->queues[account->turn].next, struct place, link);
    account->turn = !account->turn;
    return place;
}

static void look_again_at(struct governor *governor, int64_t wait_us, int64_t now)
{
    if (now + wait_us < governor->timer_due_us) {
        governor->timer_due_us = now + wait_us;
        timer_start(governor->options.loop, &governor->timer, wait_us);
    }
}

static int64_t account_wait_us(struct governor *governor, const struct account *account, int64_t now)
{
    int64_t pace_us = account->rate > 0 ? pace_wait_us(&account->pace, now) : 0;
    governor_lock(governor);
    int64_t pause_us = account->paused_until_us - now;
    governor_unlock(governor);
    return pace_us > pause_us ? pace_us : pause_us;
}

static void note_call(struct governor *governor, struct place *place, int64_t now)
{
    if (list_empty(&governor->calling)) {
        governor->silent_since_us = now;
    }
    list_append(&governor->calling, &place->link);
    place->called = true;
    place->given_up = false;
    place->account->calling++;
    pace_take(&place->account->pace, place->account->rate, now);
}

static int64_t calls_max(const struct governor *governor, int64_t now)
{
    bool calling = !list_empty(&governor->calling);
    return CALLS_MAX + (calling ? (now - governor->silent_since_us) / SILENT_CALL_US : 0);
}

static void call_those_in_turn(struct governor *governor, struct account *account)
{
    int64_t now = governor_now_us(governor);
    int64_t look_us = QUEUED_LOOK_US;
    while (is_queued(account) && account->calling < calls_max(governor, now)) {
        int64_t wait_us = account_wait_us(governor, account, now);
        if (wait_us > 0) {
            look_us = wait_us < look_us ? wait_us : look_us;
            break;
        }
        struct place *place = next_in_turn(account);
        leave_queue(governor, place);
        if (governor->options.call(place)) {
            note_call(governor, place, now);
        }
    }
    if (is_queued(account)) {
        look_again_at(governor, look_us, now);
    }
}

static void put_back(struct governor *governor, struct place *place, int64_t wait_us)
{
    governor_lock(governor);
    int64_t spread =
        governor_spread_us(place->account, place->account->rate, wait_us, governor_now_us(governor));
    governor_unlock(governor);
    governor->options.put_back(place, spread);
}

// Puts back what waits since before that time; of what has called before only where `begun` says so: it would
// have to begin anew.
static void put_queues_back(struct governor *governor, struct account *account, int64_t before_us, bool begun,
                            int64_t wait_us)
{
    for (int side = 0; side < CIRCUIT_SIDE_COUNT; side++) {
        LIST_EACH_SAFE(&account->queues[side], node, after)
        {
            struct place *place = CONTAINER_OF(node, struct place, link);
            if (place->queued_us < before_us && (!place->called || begun)) {
                leave_queue(governor, place);
                put_back(governor, place, wait_us);
            }
        }
    }
}

static void on_timer(struct timer *timer)
{
    struct governor *governor = CONTAINER_OF(timer, struct governor, timer);
    int64_t overdue_us = governor_now_us(governor) - QUEUED_MAX_US;
    governor->timer_due_us = INT64_MAX;
    LIST_EACH_SAFE(&governor->waiting, node, after)
    {
        struct account *account = CONTAINER_OF(node, struct account, waiting);
        put_queues_back(governor, account, overdue_us, false, 0);
        call_those_in_turn(governor, account);
    }
}

void governor_put_back_all(struct governor *governor)
{
    LIST_EACH_SAFE(&governor->waiting, node, after)
    {
        put_queues_back(governor, CONTAINER_OF(node, struct account, waiting), INT64_MAX, true, 0);
    }
}

void governor_call(struct place *place)
{
    struct governor *governor = place->governor;
    struct account *account = place->account;
    int64_t now = governor_now_us(governor);
    governor_lock(governor);
    int64_t held_us = governor_held_us(governor, account, place->side, place->probe, now);
    governor_unlock(governor);
    if (held_us > 0 && !place->called) {
        put_back(governor, place, held_us);
        return;
    }
    place->queued_us = now;
    struct list *queue = &account->queues[place->side];
    list_append(place->called ? queue->next : queue, &place->link); // the rest of what has begun goes first
    governor->stats.queued++;
    if (!list_linked(&account->waiting)) {
        list_append(&governor->waiting, &account->waiting);
    }
    call_those_in_turn(governor, account);
}

// --- answers

// Calls that were under way together are told together: that is one pause.
static void pause_account(struct governor *governor, struct account *account, int64_t asked_us, int64_t now)
{
    governor->stats.limited_total++;
    if (account->paused_until_us <= now) {
        account->pauses++;
    }
    int told = account->pauses > 0 ? account->pauses : 1; // one that was answered well may have begun before
    int64_t pause_us = retry_provider_delay_us(told, governor_cap_us(governor), governor_random32(governor));
    pause_us = asked_us > pause_us ? asked_us : pause_us;
    if (now + pause_us > account->paused_until_us) {
        account->paused_until_us = now + pause_us;
    }
}

// The first answer behind a silence: what was called before the call that is answered would hang on until its
// time is over, although the provider is back. To give that up is as safe as a time-out, and if it is being
// carried out still, asking again costs a call.
static void give_up_what_hangs(struct governor *governor, const struct place *answered, int64_t now)
{
    bool back = now - governor->silent_since_us >= SILENCE_US;
    governor->silent_since_us = now;
    for (struct list *node = governor->calling.next; back && node != &answered->link; node = node->next) {
        struct place *place = CONTAINER_OF(node, struct place, link);
        place->given_up = true;
        governor->options.give_up(place);
    }
}

static void circuit_opened(struct governor *governor, const char *trouble)
{
    LOG(LOG_ERROR, "the provider is away: its calls are held back until it answers a probe",
        LOG_STR("merchants", governor->circuit.several ? "all" : "one"), LOG_STR("trouble", trouble));
    governor->stats.circuit_opened_total++;
    LIST_EACH_SAFE(&governor->waiting, node, after)
    {
        struct account *account = CONTAINER_OF(node, struct account, waiting);
        if (circuit_holds(&governor->circuit, &account->key.merchant_id)) {
            put_queues_back(governor, account, INT64_MAX, false, 0);
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
        LOG(LOG_WARN, "an answer that is not Stripe's: check PAYMENTS_STRIPE_API_BASE and the proxy",
            LOG_STR("merchant_id", id), LOG_STR("mode", account->key.livemode ? "live" : "test"),
            LOG_INT("status", answer->status), LOG_INT("times", count));
    }
}

void governor_answered(struct place *place, const struct uuid *operation,
                       const struct provider_answer *answer)
{
    struct governor *governor = place->governor;
    struct account *account = place->account;
    int64_t now = governor_now_us(governor);
    bool opened = false;
    bool closed = false;
    if (!answer->away) {
        give_up_what_hangs(governor, place, now);
    }
    if (answer->foreign) {
        note_foreign(account, answer, now);
    }
    list_remove(&place->link);
    account->calling--;
    governor_lock(governor);
    bool counted_before =
        answer->lost_connection != 0 && answer->lost_connection == governor->lost_connection;
    if (answer->away && !place->given_up && !counted_before) {
        governor->lost_connection = answer->lost_connection;
        opened = circuit_failed(&governor->circuit, &account->key.merchant_id, operation, now,
                                governor_cap_us(governor), governor_random32(governor));
    } else if (!answer->away) {
        closed = circuit_answered(&governor->circuit);
    }
    if (answer->limited) {
        pause_account(governor, account, answer->retry_after_us, now);
    } else if (!answer->away) {
        account->pauses = 0;
    }
    governor_unlock(governor);
    if (opened) {
        circuit_opened(governor, answer->trouble);
    } else if (closed) {
        LOG(LOG_INFO, "the provider answers again");
        governor->options.resumed(governor->options.context);
    }
    if (answer->limited) {
        put_queues_back(governor, account, INT64_MAX, false, account_wait_us(governor, account, now));
    }
    call_those_in_turn(governor, account);
    governor_forget_idle(governor);
}

int64_t governor_claims_max(struct governor *governor, int64_t *wait_us)
{
    governor_lock(governor);
    bool held = circuit_holds_all(&governor->circuit);
    *wait_us = held ? circuit_wait_us(&governor->circuit, CIRCUIT_RECOVERY, governor_now_us(governor)) : 0;
    governor_unlock(governor);
    if (*wait_us > 0) {
        return 0;
    }
    return held ? 1 : INT64_MAX;
}

void governor_stats(struct governor *governor, struct governor_stats *stats)
{
    governor_lock(governor);
    *stats = governor->stats;
    stats->circuit_open = governor->circuit.open;
    governor_unlock(governor);
}

struct governor *governor_open(const struct governor_options *options)
{
    struct governor *governor = calloc(1, sizeof(*governor));
    REQUIRE(governor != NULL);
    governor->options = *options;
    REQUIRE(pthread_mutex_init(&governor->mutex, NULL) == 0);
    list_init(&governor->idle);
    list_init(&governor->waiting);
    list_init(&governor->calling);
    timer_init(&governor->timer, on_timer);
    governor->timer_due_us = INT64_MAX;
    return governor;
}

static void free_account(struct table_node *node, void *context)
{
    struct governor *governor = context;
    table_remove(&governor->accounts, node);
    free(CONTAINER_OF(node, struct account, node));
}

void governor_close(struct governor *governor, void (*drop)(struct place *place))
{
    timer_stop(governor->options.loop, &governor->timer);
    while (!list_empty(&governor->waiting)) {
        struct account *account = CONTAINER_OF(governor->waiting.next, struct account, waiting);
        struct place *place = next_in_turn(account);
        leave_queue(governor, place);
        drop(place);
    }
    table_each(&governor->accounts, free_account, governor);
    table_release(&governor->accounts);
    (void)pthread_mutex_destroy(&governor->mutex);
    free(governor);
}
