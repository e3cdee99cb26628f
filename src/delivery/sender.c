// See sender.h. Loop thread; record_run on a database thread. Invariant: a sending counts as in flight from
// here until its outcome is durable, or it is given up to its lease; so the limits hold for what waits for
// the store, too, and a store that fails cannot make us hoard.
#include "delivery/sender.h"

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"

#define RECORD_AGAIN_US (1 * US_PER_S)

static void log_end(const struct sending *sending)
{
    static const char *const messages[] = {
        [OUTBOX_DELIVERED] = "webhook delivered",
        [OUTBOX_RETRY] = "webhook failed, will try again",
        [OUTBOX_DEAD] = "webhook dead",
        [OUTBOX_GONE] = "the webhook endpoint answered 410, its events wait for a new URL",
    };
    const struct outbox_attempt *attempt = &sending->attempt;
    char event_id[UUID_TEXT_BYTES];
    char merchant_id[UUID_TEXT_BYTES];
    uuid_format(&sending->event.id, event_id);
    uuid_format(&sending->event.merchant_id, merchant_id);
    LOG(attempt->outcome == OUTBOX_DELIVERED ? LOG_DEBUG : LOG_WARN, messages[attempt->outcome],
        LOG_STR("event_id", event_id), LOG_STR("merchant_id", merchant_id),
        LOG_INT("status", attempt->status_code), LOG_STR("error", attempt->error),
        LOG_INT("attempts", sending->event.attempts + 1));
}

static void count_end(struct delivery_stats *stats, enum outbox_outcome outcome)
{
    stats->delivered_total += outcome == OUTBOX_DELIVERED;
    stats->failed_total += outcome != OUTBOX_DELIVERED;
    stats->dead_total += outcome == OUTBOX_DEAD;
}

// It is over: recorded, or left to its lease.
static void let_go(struct sending *sending)
{
    struct sender *sender = sending->sender;
    list_remove(&sending->link);
    sending_free(sending);
    sender->stats.in_flight--;
    sender->ended(sender);
}

static enum errc record_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct sending *sending = CONTAINER_OF(job, struct sending, record);
    return outbox_record(tx->db, &sending->event, &sending->attempt, &sending->recorded, err);
}

static void record_done(struct store_job *job)
{
    struct sending *sending = CONTAINER_OF(job, struct sending, record);
    struct sender *sender = sending->sender;
    if (job->result != OK && !sender->draining) {
        LOG(LOG_ERROR, "cannot record the result of a webhook, will try again",
            LOG_STR("error", job->err.message));
        list_remove(&sending->link);
        list_append(&sender->unrecorded, &sending->link);
        timer_start(sender->options->loop, &sender->record_again, RECORD_AGAIN_US);
        return;
    }
    if (job->result == OK && sending->recorded) {
        count_end(&sender->stats, sending->attempt.outcome);
        log_end(sending);
    }
    let_go(sending);
}

static void record(struct sending *sending)
{
    sending->record = (struct store_job){.queue = STORE_WRITE, .run = record_run, .done = record_done};
    store_submit_always(sending->sender->options->store, &sending->record);
}

static void on_record_again(struct timer *timer)
{
    struct sender *sender = CONTAINER_OF(timer, struct sender, record_again);
    while (!list_empty(&sender->unrecorded)) {
        struct sending *sending = CONTAINER_OF(list_take_first(&sender->unrecorded), struct sending, link);
        list_append(&sender->sendings, &sending->link);
        record(sending);
    }
}

static uint32_t random32(const struct sender *sender)
{
    uint32_t value = 0;
    sender->options->random->fill(sender->options->random, &value, sizeof(value));
    return value;
}

// While draining, an attempt without an answer may have been cut by our own end, which is not the endpoint's
// fault.
static void on_answer(struct http_call *call)
{
    struct sending *sending = CONTAINER_OF(call, struct sending, call);
    struct sender *sender = sending->sender;
    if (sender->draining && !attempt_answered(call)) {
        let_go(sending);
        return;
    }
    sending->attempt =
        attempt_read(sending, &sender->schedule, loop_wall_us(sender->options->loop), random32(sender));
    http_call_release(call);
    record(sending);
}

void sender_send(struct sender *sender, struct sending *sending)
{
    const struct delivery_options *options = sender->options;
    int64_t now_us = loop_wall_us(options->loop);
    struct err err;
    sending->sender = sender;
    list_append(&sender->sendings, &sending->link);
    sender->stats.in_flight++;
    if (attempt_prepare(sending, options->keyring, options->config, now_us, &err) != OK) {
        sending->attempt = attempt_fail(sending, &sender->schedule, err.message, now_us, random32(sender));
        record(sending);
        return;
    }
    sending->call.done = on_answer;
    http_client_send(options->client, &sending->call);
}

static size_t add_merchants(const struct list *sendings, struct uuid *merchants)
{
    size_t count = 0;
    for (const struct list *node = sendings->next; node != sendings; node = node->next) {
        merchants[count++] = CONTAINER_OF(node, const struct sending, link)->event.merchant_id;
    }
    return count;
}

size_t sender_busy(const struct sender *sender, struct uuid *merchants)
{
    size_t count = add_merchants(&sender->sendings, merchants);
    return count + add_merchants(&sender->unrecorded, merchants + count);
}

void sender_init(struct sender *sender, const struct delivery_options *options,
                 const struct retry_schedule *schedule, void (*ended)(struct sender *sender))
{
    sender->options = options;
    sender->schedule = *schedule;
    sender->ended = ended;
    list_init(&sender->sendings);
    list_init(&sender->unrecorded);
    timer_init(&sender->record_again, on_record_again);
}

void sender_drain(struct sender *sender)
{
    sender->draining = true;
    timer_stop(sender->options->loop, &sender->record_again);
    while (!list_empty(&sender->unrecorded)) {
        let_go(CONTAINER_OF(sender->unrecorded.next, struct sending, link));
    }
}

void sender_release(struct sender *sender)
{
    timer_stop(sender->options->loop, &sender->record_again);
    sending_free_all(&sender->unrecorded);
    REQUIRE(list_empty(&sender->sendings));
}
