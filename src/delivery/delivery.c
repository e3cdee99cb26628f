// See delivery.h. Loop thread; the jobs' functions run on a database thread. Events are leased for longer
// than an attempt can take. If this process ends or cannot record a result, the event becomes due again when
// its lease ends: so it is delivered at least once. This file decides when to look for due events; claim.c
// claims them, attempt.c makes the request and reads the answer, sender.c sends and records, parked.c looks
// after events without an endpoint.
//
// A look is one walk over the merchants with open events, in one claim or, if there are many, in several. It
// happens when somebody wakes us, when an attempt ends that an event may have waited for, when an event is
// due, and every sweep_us, because other programs change the database too. At most one claim is under way. A
// look that is asked for meanwhile follows it, so no wake-up is lost.
#include "delivery/delivery.h"

#include <stdlib.h>

#include "base/hourly.h"
#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "delivery/claim.h"
#include "delivery/parked.h"
#include "delivery/sender.h"

#define STORE_RETRY_US (1 * US_PER_S)
// A walk costs the writer about 3 us a merchant, and 100 us where the database is another process. After a
// long walk we rest ten times as long. So thousands of merchants with failing endpoints take at most a tenth
// of the writer's time, however often we are woken.
#define VISITS_FREE 100
#define REST_US_PER_VISIT 30
#define REST_US_PER_SHARED_VISIT 1000

struct delivery {
    struct delivery_options options;
    struct sender sender;

    struct store_job leases;
    struct claim claim;
    struct parked_sweep parked;
    bool leases_busy, claim_busy, parked_busy; // the store has the job
    bool leases_over;                          // looks may begin
    bool look_again;                           // a look was asked for while a claim was under way
    int64_t rest_until_us;                     // monotonic, like the next
    int64_t parked_due_us;
    struct timer sweep;
    struct hourly set_aside;
    struct send_slots slots;
};

static void sweep_in(struct delivery *delivery, int64_t delay_us)
{
    int64_t sweep_us = store_poll_us(delivery->options.store, delivery->options.sweep_us);
    int64_t bounded_us = delay_us < sweep_us ? delay_us : sweep_us;
    timer_start(delivery->options.loop, &delivery->sweep, bounded_us > 0 ? bounded_us : 0);
}

static void claim_submit(struct delivery *delivery)
{
    struct claim *claim = &delivery->claim;
    claim->now_us = loop_wall_us(delivery->options.loop);
    delivery->claim_busy = true;
    store_submit_always(delivery->options.store, &claim->job);
}

// If no slot is free, the end of an attempt looks again.
static void look(struct delivery *delivery)
{
    if (!delivery->leases_over || delivery->sender.draining) {
        return;
    }
    if (store_clock_is_wrong(delivery->options.store)) {
        sweep_in(delivery, STORE_RETRY_US);
        return;
    }
    if (delivery->claim_busy) {
        delivery->look_again = true;
        return;
    }
    int64_t rest_us = delivery->rest_until_us - loop_mono_us(delivery->options.loop);
    if (rest_us > 0) {
        sweep_in(delivery, rest_us);
    } else if (send_slots_free(&delivery->slots)) {
        delivery->claim.from = claim_walk_after(&delivery->claim.to.at);
        claim_submit(delivery);
    }
}

// After a claim: goes on with its walk, or rests until an event is due or somebody wakes us.
static void after_claim(struct delivery *delivery)
{
    struct claim *claim = &delivery->claim;
    if (!claim->to.done && send_slots_free(&delivery->slots)) {
        claim->from = claim->to;
        claim_submit(delivery);
        return;
    }
    if (claim->to.visits > VISITS_FREE) {
        const int64_t each_us =
            store_is_shared(delivery->options.store) ? REST_US_PER_SHARED_VISIT : REST_US_PER_VISIT;
        delivery->rest_until_us = loop_mono_us(delivery->options.loop) + claim->to.visits * each_us;
    }
    if (delivery->look_again) {
        delivery->look_again = false;
        look(delivery);
    } else {
        sweep_in(delivery, claim->to.next_due_us - loop_wall_us(delivery->options.loop));
    }
}

// event_id: one of them.
static void note_set_aside(struct delivery *delivery, int64_t events, const struct uuid *event_id)
{
    delivery->sender.stats.set_aside_total += events;
    delivery->set_aside.count += events;
    int64_t count = hourly_take(&delivery->set_aside, loop_mono_us(delivery->options.loop));
    if (count > 0) {
        char id[UUID_TEXT_BYTES];
        uuid_format(event_id, id);
        LOG(LOG_ERROR,
            "webhooks cannot be sent: their rows or their merchants' rows are damaged; this is one of them",
            LOG_INT("times", count), LOG_STR("event_id", id));
    }
}

static void claim_done(struct store_job *job)
{
    struct claim *claim = CONTAINER_OF(job, struct claim, job);
    struct delivery *delivery = CONTAINER_OF(claim, struct delivery, claim);
    delivery->claim_busy = false;
    if (job->result != OK || delivery->sender.draining) {
        attempt_free_all(&claim->attempts); // while draining they are left to their leases
    }
    while (!list_empty(&claim->attempts)) {
        sender_send(&delivery->sender, CONTAINER_OF(list_take_first(&claim->attempts), struct attempt, link));
    }
    if (delivery->sender.draining) {
        return;
    }
    if (job->result != OK) {
        LOG(LOG_ERROR, "cannot read which webhooks are due, will try again",
            LOG_STR("error", job->err.message));
        timer_start(delivery->options.loop, &delivery->sweep, STORE_RETRY_US);
        return;
    }
    note_set_aside(delivery, claim->set_aside, &claim->aside_id);
    int64_t now_us = loop_mono_us(delivery->options.loop);
    if (!delivery->parked_busy && now_us >= delivery->parked_due_us) {
        delivery->parked.now_us = loop_wall_us(delivery->options.loop);
        delivery->parked_busy = true;
        store_submit_always(delivery->options.store, &delivery->parked.job);
        delivery->parked_due_us = now_us + delivery->options.sweep_us;
    }
    after_claim(delivery);
}

static void parked_done(struct store_job *job)
{
    struct parked_sweep *sweep = CONTAINER_OF(job, struct parked_sweep, job);
    struct delivery *delivery = CONTAINER_OF(sweep, struct delivery, parked);
    delivery->parked_busy = false;
    if (job->result != OK) {
        LOG(LOG_ERROR, "cannot update waiting webhooks, will try again", LOG_STR("error", job->err.message));
        return;
    }
    sweep->cursor = sweep->next;
    if (sweep->more) {
        delivery->parked_due_us = 0;
    }
    if (sweep->more || sweep->released) {
        look(delivery);
    }
}

static void on_set_aside(struct sender *sender, const struct uuid *event_id)
{
    note_set_aside(CONTAINER_OF(sender, struct delivery, sender), 1, event_id);
}

static void on_ended(struct sender *sender, bool is_due)
{
    if (is_due) {
        look(CONTAINER_OF(sender, struct delivery, sender));
    }
}

// --- events that are leased as they are written

// Database thread, in the transaction that writes the event.
static struct event_lease *lease(void *context, struct outbox_event *event, const struct outbox_next *next,
                                 int64_t now_us)
{
    struct delivery *delivery = context;
    const struct merchant *merchant = &next->merchant;
    if (!send_slots_take_new(&delivery->slots, &merchant->id, next->endpoint_fails)) {
        return NULL;
    }
    struct attempt *attempt = attempt_new(&delivery->slots, &merchant->id);
    attempt->endpoint_failed = next->endpoint_fails;
    event->status = "processing";
    event->next_attempt_us = now_us + attempt_lease_us(delivery->options.config);
    attempt_copy(attempt, event, merchant);
    return &attempt->lease;
}

static void lease_ended(void *context, struct event_lease *ended, bool committed)
{
    struct delivery *delivery = context;
    struct attempt *attempt = CONTAINER_OF(ended, struct attempt, lease);
    if (committed && !delivery->sender.draining) {
        sender_send(&delivery->sender, attempt);
        return;
    }
    bool is_awaited = attempt_release_slot(attempt);
    attempt_free(attempt);
    if (is_awaited) {
        look(delivery);
    }
}

void delivery_wake(struct delivery *delivery)
{
    look(delivery);
}

static void due(void *context)
{
    delivery_wake(context);
}

struct event_listener delivery_listener(struct delivery *delivery)
{
    return (struct event_listener){due, lease, lease_ended, delivery};
}

// --- start and stop

static enum errc leases_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct delivery *delivery = CONTAINER_OF(job, struct delivery, leases);
    int64_t count = 0;
    if (store_is_shared(delivery->options.store)) {
        return OK; // what others lease is theirs while they live (node.h)
    }
    return outbox_release_leases(tx->db, loop_wall_us(delivery->options.loop), &count, err);
}

static void leases_done(struct store_job *job)
{
    struct delivery *delivery = CONTAINER_OF(job, struct delivery, leases);
    delivery->leases_busy = false;
    delivery->leases_over = job->result == OK;
    send_slots_open(&delivery->slots, delivery->leases_over && !delivery->sender.draining);
    if (delivery->sender.draining) {
        return;
    }
    if (job->result != OK) {
        LOG(LOG_ERROR, "cannot resume unsent webhooks, will try again", LOG_STR("error", job->err.message));
        sweep_in(delivery, STORE_RETRY_US);
    }
    look(delivery);
}

// Where this process is the only server of the database (db_driver.claim), whatever is leased was left by a
// process that ended.
static void end_leases(struct delivery *delivery)
{
    delivery->leases_busy = true;
    store_submit_always(delivery->options.store, &delivery->leases);
}

static void on_sweep(struct timer *timer)
{
    struct delivery *delivery = CONTAINER_OF(timer, struct delivery, sweep);
    if (delivery->leases_over) {
        look(delivery);
    } else {
        end_leases(delivery);
    }
}

static struct delivery *delivery_new(const struct delivery_options *options,
                                     const struct retry_schedule *schedule)
{
    REQUIRE(options->sweep_us > 0);
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    REQUIRE(delivery);
    delivery->options = *options;
    send_slots_init(&delivery->slots, options->config->webhook_in_flight_max,
                    options->config->webhook_endpoint_max);
    sender_init(&delivery->sender, &delivery->options, schedule, on_ended, on_set_aside);
    timer_init(&delivery->sweep, on_sweep);
    delivery->leases = (struct store_job){.queue = STORE_WRITE, .run = leases_run, .done = leases_done};
    delivery->parked.job =
        (struct store_job){.queue = STORE_WRITE, .run = parked_sweep_run, .done = parked_done};
    struct claim *claim = &delivery->claim;
    claim->job = (struct store_job){.queue = STORE_WRITE, .run = claim_run, .done = claim_done};
    claim->lease_us = attempt_lease_us(options->config);
    claim->slots = &delivery->slots;
    list_init(&claim->attempts);
    return delivery;
}

enum errc delivery_start(const struct delivery_options *options, struct delivery **delivery, struct err *err)
{
    struct retry_schedule schedule;
    enum errc rc = retry_schedule_parse(options->config->webhook_schedule, &schedule, err);
    if (rc == OK) {
        *delivery = delivery_new(options, &schedule);
        end_leases(*delivery);
    }
    return rc;
}

bool delivery_drain(struct delivery *delivery)
{
    timer_stop(delivery->options.loop, &delivery->sweep);
    send_slots_open(&delivery->slots, false);
    sender_drain(&delivery->sender);
    return send_slots_taken(&delivery->slots) == 0 && !delivery->leases_busy && !delivery->claim_busy &&
           !delivery->parked_busy;
}

void delivery_free(struct delivery *delivery)
{
    timer_stop(delivery->options.loop, &delivery->sweep);
    REQUIRE(!delivery->leases_busy && !delivery->claim_busy && !delivery->parked_busy);
    sender_release(&delivery->sender);
    send_slots_destroy(&delivery->slots);
    free(delivery);
}

void delivery_stats(struct delivery *delivery, struct delivery_stats *stats)
{
    *stats = delivery->sender.stats;
    stats->in_flight = send_slots_taken(&delivery->slots);
}
