// See sender.h. Loop thread; record_run on a database thread. Invariant: an attempt holds its slot until its
// result is durable or it is left to its lease. So the limits hold for results that wait for
// the store, too, and a failing store cannot make them pile up.
#include "delivery/sender.h"

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"

#define RECORD_RETRY_US (1 * US_PER_S)

static void log_end(const struct attempt *attempt)
{
    static const char *const messages[] = {
        [OUTBOX_DELIVERED] = "webhook delivered",
        [OUTBOX_RETRY] = "webhook failed, will try again",
        [OUTBOX_DEAD] = "webhook dead",
        [OUTBOX_GONE] = "the webhook endpoint answered 410, its events wait for a new URL",
    };
    const struct outbox_attempt *result = &attempt->result;
    char event_id[UUID_TEXT_BYTES];
    char merchant_id[UUID_TEXT_BYTES];
    uuid_format(&attempt->event.id, event_id);
    uuid_format(&attempt->event.merchant_id, merchant_id);
    LOG(result->outcome == OUTBOX_DELIVERED ? LOG_DEBUG : LOG_WARN, messages[result->outcome],
        LOG_STR("event_id", event_id), LOG_STR("merchant_id", merchant_id),
        LOG_INT("status", result->status_code), LOG_STR("error", result->error),
        LOG_INT("attempts", attempt->event.attempts + 1));
}

// The slot is returned, or goes to the merchant's next attempt.
static bool end_slot(struct attempt *attempt)
{
    struct sender *sender = attempt->sender;
    struct attempt *next = attempt->next;
    if (next != NULL && next->claim == ATTEMPT_SET_ASIDE) {
        sender->set_aside(sender, &next->event.id);
    }
    if (next == NULL || next->claim != ATTEMPT_CLAIMED || sender->draining) {
        return attempt_release_slot(attempt);
    }
    next->slots = attempt->slots;
    attempt->slots = NULL;
    attempt->next = NULL;
    sender_send(sender, next);
    return false;
}

// It is recorded, or left to its lease.
static void finish(struct attempt *attempt)
{
    struct sender *sender = attempt->sender;
    // An event that failed has a new time, which only a look finds.
    bool due = !attempt->recorded.done || attempt->recorded.next_is_due ||
               attempt->result.outcome != OUTBOX_DELIVERED;
    due |= end_slot(attempt);
    list_remove(&attempt->link);
    attempt_free(attempt);
    sender->ended(sender, due);
}

static void drop_next(struct attempt *attempt)
{
    if (attempt->next != NULL) {
        attempt_free(attempt->next);
        attempt->next = NULL;
    }
}

// A merchant with more due events than slots needs no claims: each attempt that ends well claims the next.
// Where the endpoint has failed until now, the claim must find more than one.
static enum errc claim_next(struct attempt *attempt, struct tx *tx, struct err *err)
{
    if (!attempt->recorded.done || attempt->result.outcome != OUTBOX_DELIVERED || attempt->endpoint_failed ||
        !send_slots_pass_on(attempt->slots, &attempt->event.merchant_id)) {
        return OK;
    }
    attempt->next = attempt_new(NULL, &attempt->event.merchant_id);
    return attempt_claim(attempt->next, tx, tx->now_us, attempt_lease_us(attempt->sender->options->config),
                         err);
}

static enum errc record_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct attempt *attempt = CONTAINER_OF(job, struct attempt, record);
    drop_next(attempt); // of a run that was undone
    enum errc rc = outbox_record(tx->db, &attempt->event, &attempt->result, &attempt->recorded, err);
    return rc == OK ? claim_next(attempt, tx, err) : rc;
}

static void ask_record(struct store_job *job, struct tx *tx)
{
    struct attempt *attempt = CONTAINER_OF(job, struct attempt, record);
    outbox_ask_record(tx->db, &attempt->event);
}

static void record_done(struct store_job *job)
{
    struct attempt *attempt = CONTAINER_OF(job, struct attempt, record);
    struct sender *sender = attempt->sender;
    if (job->result != OK) {
        drop_next(attempt);
    }
    if (job->result != OK && !sender->draining) {
        LOG(LOG_ERROR, "cannot record the result of a webhook, will try again",
            LOG_STR("error", job->err.message));
        list_remove(&attempt->link);
        list_append(&sender->unrecorded, &attempt->link);
        timer_start(sender->options->loop, &sender->record_again, RECORD_RETRY_US);
        return;
    }
    if (job->result == OK && attempt->recorded.done) {
        enum outbox_outcome outcome = attempt->result.outcome;
        sender->stats.delivered_total += outcome == OUTBOX_DELIVERED;
        sender->stats.failed_total += outcome != OUTBOX_DELIVERED;
        sender->stats.dead_total += outcome == OUTBOX_DEAD;
        send_slots_report(attempt->slots, &attempt->event.merchant_id, outcome != OUTBOX_DELIVERED);
        log_end(attempt);
    }
    finish(attempt);
}

static void record(struct attempt *attempt)
{
    attempt->result.endpoint_failed = attempt->endpoint_failed;
    attempt->record = (struct store_job){.queue = STORE_WRITE,
                                         .run = record_run,
                                         .done = record_done,
                                         .ahead = ask_record,
                                         .subject = attempt->event.transaction_id};
    store_submit_always(attempt->sender->options->store, &attempt->record);
}

static void on_record_again(struct timer *timer)
{
    struct sender *sender = CONTAINER_OF(timer, struct sender, record_again);
    while (!list_empty(&sender->unrecorded)) {
        struct attempt *attempt = CONTAINER_OF(list_take_first(&sender->unrecorded), struct attempt, link);
        list_append(&sender->attempts, &attempt->link);
        record(attempt);
    }
}

// While draining, an attempt may lack an answer because we closed its connection. That is not the endpoint's
// fault, so it is not recorded.
static void on_answer(struct http_call *call)
{
    struct attempt *attempt = CONTAINER_OF(call, struct attempt, call);
    struct sender *sender = attempt->sender;
    if (sender->draining && !attempt_answered(call)) {
        finish(attempt);
        return;
    }
    attempt->result = attempt_read(attempt, &sender->schedule, loop_wall_us(sender->options->loop),
                                   random_u32(sender->options->random));
    http_call_release(call);
    record(attempt);
}

void sender_send(struct sender *sender, struct attempt *attempt)
{
    const struct delivery_options *options = sender->options;
    int64_t now_us = loop_wall_us(options->loop);
    struct err err;
    attempt->sender = sender;
    list_append(&sender->attempts, &attempt->link);
    if (attempt_prepare(attempt, options->keyring, options->config, now_us, &err) != OK) {
        attempt->result = attempt_fail(attempt, &sender->schedule, err.message, now_us,
                                       random_u32(sender->options->random));
        record(attempt);
        return;
    }
    attempt->call.done = on_answer;
    http_client_send(options->client, &attempt->call);
}

void sender_init(struct sender *sender, const struct delivery_options *options,
                 const struct retry_schedule *schedule, void (*ended)(struct sender *sender, bool due),
                 void (*set_aside)(struct sender *sender, const struct uuid *event_id))
{
    sender->options = options;
    sender->schedule = *schedule;
    sender->ended = ended;
    sender->set_aside = set_aside;
    list_init(&sender->attempts);
    list_init(&sender->unrecorded);
    timer_init(&sender->record_again, on_record_again);
}

void sender_drain(struct sender *sender)
{
    sender->draining = true;
    timer_stop(sender->options->loop, &sender->record_again);
    while (!list_empty(&sender->unrecorded)) {
        finish(CONTAINER_OF(sender->unrecorded.next, struct attempt, link));
    }
}

void sender_release(struct sender *sender)
{
    timer_stop(sender->options->loop, &sender->record_again);
    attempt_free_all(&sender->unrecorded);
    REQUIRE(list_empty(&sender->attempts));
}
