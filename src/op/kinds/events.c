// Fetches events that the provider did not deliver, for each credentials: after a stop of the service, and at
// intervals where there is no webhook secret. A round lists all events since the feed's since_s; all earlier
// ones are recorded here. An attempt reads one page, the events of a span of time. If they do not fit on a
// page, the span is halved, so events are always applied oldest first, in one transaction with the feed's new
// position. The next round repeats the end of the last one, because an event may appear late. Database
// threads.
#include "op/kinds/events.h"

#include "base/log.h"
#include "base/timefmt.h"
#include "op/kinds/kinds.h"
#include "op/kinds/step.h"
#include "op/state/inbound.h"
#include "store/event_feeds.h"

// An event whose payment is not known yet is fetched again until it is this old.
#define HELD_UP_S (24 * INT64_C(3600))
// The distance between the first attempts of different credentials after a start.
#define START_PACE_US (100 * US_PER_MS)
// Credentials without a payment for IN_USE_US are fetched with every IDLE_US at most.
#define IN_USE_US (7 * 24 * 3600 * US_PER_S)
#define IDLE_US (3600 * US_PER_S)

// Fetches the events of all credentials that were ever used, since this service was last known to run.
static enum errc events_start(const struct engine *engine, struct tx *tx, enum engine_start start,
                              int64_t alive_us, struct err *err)
{
    (void)engine;
    (void)start;
    int64_t now_us = tx->now_us;
    int64_t alive_s = alive_us / US_PER_S - EVENTS_LATE_S;
    if (alive_s > now_us / US_PER_S) {
        alive_s = 0; // that clock was ahead: the feeds go on where they are
    }
    enum errc rc = event_feeds_open(tx->db, op_events.name, alive_s, err);
    return rc == OK ? event_feeds_ask(tx->db, op_events.name, now_us, START_PACE_US, err) : rc;
}

static int64_t interval_us(const struct engine *engine)
{
    return engine_options(engine)->config->events_interval_ms * US_PER_MS;
}

enum errc events_begin(struct engine *engine, struct tx *tx, const struct credential *credential,
                       int64_t now_us, struct err *err)
{
    struct operation row = operation_on_credential(tx, op_events.name, credential);
    row.next_attempt_us = now_us + interval_us(engine);
    row.created_us = now_us;
    enum errc rc =
        event_feed_open(tx->db, &credential->id, op_events.name, now_us / US_PER_S - EVENTS_LATE_S, err);
    if (rc == OK) {
        rc = operation_insert(tx->db, &row, err);
    }
    // An operation that was open goes on with the new key.
    return rc == OK ? operation_update(tx->db, &row, err) : rc;
}

// Something was prepared, so events about it come soon.
static enum errc events_after_prepare(const struct engine *engine, struct tx *tx,
                                      const struct operation *prepared, struct err *err)
{
    return event_feed_hurry(tx->db, &prepared->credential_version_id, op_events.name,
                            tx->now_us + interval_us(engine), err);
}

static enum errc events_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct credential present = {0};
    struct event_feed feed = {0};
    enum errc rc = credential_get(tx->db, &op->row.merchant_id, op_provider(op)->name, op->row.livemode,
                                  &op->arena, &present, err);
    if (rc == ERR_NOT_FOUND || (rc == OK && !present.is_active)) {
        *already_done = true;
        return OK;
    }
    if (rc == OK) {
        rc = event_feed_get(tx->db, &present.id, &op->arena, &feed, err);
    }
    int64_t until_s = feed.at_s + feed.width_s;
    op->row.credential_version_id = present.version_id;
    op->call.verb = PROVIDER_EVENTS;
    op->call.created_from_s = feed.at_s;
    op->call.created_until_s = feed.width_s > 0 && until_s < tx->now_us / US_PER_S ? until_s : 0;
    op->call.page = feed.page;
    return rc;
}

// Applies a page, which is listed newest first, oldest first. The row's held_up_us is set if this round has
// an event whose payment is not known yet, so that it must be fetched again.
static enum errc apply_page(struct op *op, struct tx *tx, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    for (size_t i = answer->event_count; i > 0; i--) {
        const struct provider_event *event = &answer->events[i - 1];
        if (event->kind == EVENT_OTHER || event->thin || event->livemode != op->row.livemode) {
            continue;
        }
        struct inbound inbound = {
            .provider = op_provider(op), .event = *event, .merchant_id = op->row.merchant_id};
        tx->cause = "event";
        tx->cause_ref = event->id;
        struct err why = {0};
        enum errc rc = inbound_apply(tx, &inbound, &why);
        if (rc == ERR_OVERLOADED && event->created_s > tx->now_us / US_PER_S - HELD_UP_S) {
            op->row.held_up_us = tx->now_us;
        }
        if (rc != OK && rc != ERR_OVERLOADED) {
            *err = why;
            return rc;
        }
    }
    return OK;
}

// The answer holds every event that was made before this time, by the slower of the two clocks.
static int64_t complete_until_s(const struct op *op)
{
    int64_t claimed_us = op->leased_until_us - op_lease_us(op->engine);
    int64_t server_us = op->call.answer->server_time_us;
    return (server_us > 0 && server_us < claimed_us ? server_us : claimed_us) / US_PER_S - EVENTS_LATE_S;
}

// Moves the feed past a page that was applied. The next round begins before any event that must be fetched
// again. True at the end of the round.
static bool advance(const struct op *op, struct event_feed *feed)
{
    const struct provider_call *call = &op->call;
    feed->page = call->answer->next_page;
    if (feed->page != NULL) {
        return false;
    }
    int64_t until_s = call->created_until_s;
    int64_t complete_s = complete_until_s(op);
    if (until_s != 0 && until_s < complete_s) {
        complete_s = until_s;
    }
    if (op->row.held_up_us == 0 && feed->at_s == feed->since_s && complete_s > feed->since_s) {
        feed->since_s = complete_s;
    }
    if (until_s != 0 && call->answer->event_count <= (size_t)call->page_items / 2) {
        feed->width_s *= 2;
    }
    feed->at_s = until_s != 0 ? until_s : feed->since_s;
    return until_s == 0;
}

// *ended: the round has no more pages.
static enum errc settle_page(struct op *op, struct tx *tx, struct event_feed *feed, bool *ended,
                             struct err *err)
{
    const struct provider_call *call = &op->call;
    int64_t until_s = call->created_until_s != 0 ? call->created_until_s : tx->now_us / US_PER_S;
    int64_t span_s = until_s - call->created_from_s;
    bool overflows = call->answer->next_page != NULL && call->page == NULL;
    if (span_s > 1 && (overflows || call->answer->too_large)) {
        feed->width_s = span_s / 2;
        feed->page = NULL;
        return OK;
    }
    if (call->answer->too_large) {
        // The event's id is unknown, so a list cannot continue after it.
        char id[UUID_TEXT_BYTES];
        uuid_format(&op->row.merchant_id, id);
        LOG(LOG_ERROR,
            "an event is too large to read: it is skipped, with all older events of the same second",
            LOG_STR("merchant_id", id), LOG_INT("created_s", call->created_from_s));
    }
    enum errc rc = apply_page(op, tx, err);
    if (rc == OK) {
        *ended = advance(op, feed);
    }
    return rc;
}

// If this machine's clock was ahead, the feed may stand in the provider's future. Then it is set back to the
// provider's time, and the result is true.
static bool set_back(const struct op *op, struct event_feed *feed)
{
    int64_t server_s = op->call.answer->server_time_us / US_PER_S;
    if (server_s == 0 || feed->since_s <= server_s) {
        return false;
    }
    feed->since_s = server_s - EVENTS_LATE_S;
    feed->at_s = feed->since_s;
    feed->page = NULL;
    return true;
}

// A round has ended. The next follows after an interval, or a longer one if nobody uses the credentials. If
// the provider delivers events and none must be fetched again, the operation closes.
static enum errc schedule_next_round(struct op *op, struct tx *tx, struct err *err)
{
    struct credential present = {0};
    bool used = false;
    enum errc rc = credential_get(tx->db, &op->row.merchant_id, op_provider(op)->name, op->row.livemode,
                                  tx->arena, &present, err);
    if (rc == OK) {
        rc = event_feed_is_used(tx->db, &op->row.merchant_id, op->row.livemode, tx->now_us - IN_USE_US, &used,
                                err);
    }
    int64_t delay_us = interval_us(op->engine);
    if (!used && delay_us < IDLE_US) {
        delay_us = IDLE_US;
    }
    if (present.webhook_secret == NULL || op->row.held_up_us != 0) {
        op_at(op, tx->now_us + delay_us);
    } else {
        op->verdict = VERDICT_CLOSE;
    }
    op->row.held_up_us = 0;
    return rc;
}

// The time until the next attempt after a failure: an interval, doubled with each attempt if the provider
// refuses because the key may not read events.
static int64_t failed_delay_us(const struct op *op)
{
    const struct provider_answer *answer = op->call.answer;
    bool refused = answer->outcome == PROVIDER_REFUSED || answer->outcome == PROVIDER_NO_AUTH;
    int64_t delay_us = interval_us(op->engine);
    for (int made = 1; refused && made < op->row.attempts && delay_us < IDLE_US; made++) {
        delay_us = delay_us < IDLE_US / 2 ? delay_us * 2 : IDLE_US;
    }
    return answer->retry_after_us > delay_us ? answer->retry_after_us : delay_us;
}

static enum errc events_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct event_feed feed = {0};
    enum errc rc = event_feed_get(tx->db, &op->row.subject_id, tx->arena, &feed, err);
    bool failed = op->call.answer->outcome != PROVIDER_DONE && !op->call.answer->too_large;
    bool ended = false;
    op_at(op, tx->now_us + (failed ? failed_delay_us(op) : STEP_PAGE_PAUSE_US));
    if (failed) {
        feed.page = NULL; // the list may not have this page any more
    } else if (rc == OK && !set_back(op, &feed)) {
        op->row.attempts = 0;
        rc = settle_page(op, tx, &feed, &ended, err);
    }
    if (rc == OK) {
        rc = event_feed_put(tx->db, &feed, err);
    }
    return rc == OK && ended ? schedule_next_round(op, tx, err) : rc;
}

const struct op_kind op_events = {
    .name = OPERATION_EVENTS,
    .subject = SUBJECT_ACCOUNT,
    .plan = events_plan,
    .settle = events_settle,
    .start = events_start,
    .starts_beside_others = true, // the others may be the process before, which was killed
    .after_prepare = events_after_prepare,
    .background = true,
};
