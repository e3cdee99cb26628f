// Planted mistakes, to prove that a run finds them. Each sits where one part of the service calls another:
// the linker inserts it there (--wrap), so that the rest of the service is tested unchanged. Others sit in
// the simulation's own disk (answer-before-sync), network (fresh-key-on-retry) and HTTP client (late-write).
#include "mutations.h"

#include <stdio.h>

#include "base/require.h"
#include "base/text.h"
#include "delivery/attempt.h"
#include "delivery/delivery.h"
#include "op/engine/op.h"
#include "op/kinds/card.h"
#include "op/kinds/kinds.h"
#include "op/kinds/refund.h"
#include "op/state/card_event.h"
#include "op/state/inbound.h"
#include "provider/stripe/answer.h"
#include "service.h"
#include "store/batch.h"
#include "store/cards.h"
#include "store/driver.h"
#include "store/idempotency.h"
#include "store/inbox.h"
#include "store/outbox.h"
#include "store/refunds.h"
#include "world.h"

const char *const mutation_names[] = {
    "answer-before-sync", // a power loss may lose what was answered
    "answer-without-commit",
    "cut-is-failed",       // a call whose connection was cut counts as refused
    "detach-forgotten",    // a deleted card stays attached at Stripe
    "event-applied-twice", // an event that Stripe repeats counts as new
    "event-not-applied",   // Stripe's event is acknowledged and changes nothing
    "event-unwritten",     // some changes have no event for the merchant
    "fault-asked-again",   // a request with a stored fault is repeated under the same key
    "fresh-key-on-retry",
    "late-is-failed",     // a call too late to be sent counts as refused, even after an earlier attempt
    "late-write",         // a request is written whenever a connection is ready
    "lease-ignored",      // an operation in progress is claimed again
    "list-not-read",      // refunds that do not match are never compared with the provider's list
    "no-reservation",     // a pending refund does not reserve its amount
    "order-by-clock",     // a payment's events are ordered by the service's clock
    "order-unchecked",    // an event is leased as it is written although an earlier one is being sent
    "pending-is-active",  // a card can be charged before its payer has authenticated
    "refund-not-awaited", // a refund without metadata never matches one that is in progress
    "reply-not-kept",     // a repeat is answered with the current state
    "sent-is-delivered",  // an event counts as delivered whatever the answer
    "sent-uncommitted",   // an event is sent although the transaction that writes it failed
    "setup-believed",     // any event about a set-up counts as its success
    "unknown-is-failed",
    "window-ignored", // a charge is sent whenever Stripe is reachable again
};
const size_t mutation_count = COUNT_OF(mutation_names);

#define WRAPPED(result, name, ...)                                                                           \
    result __real_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__)

WRAPPED(void, batch_alone, const struct batch_source *source, struct db *db, struct store_job *job)
{
    if (!mutated("answer-without-commit") || job->queue != STORE_WRITE || random_below(50) != 0) {
        __real_batch_alone(source, db, job);
        return;
    }
    job->result = db->driver->begin(db, true, &job->err);
    if (job->result == OK) {
        job->result = batch_run(source, db, job);
        db->driver->rollback(db);
    }
}

// Only for the API, which names the merchant; operations do not.
WRAPPED(enum errc, card_get, struct db *db, const struct uuid *id, const struct uuid *merchant_id,
        struct arena *arena, struct card *card, struct err *err)
{
    enum errc rc = __real_card_get(db, id, merchant_id, arena, card, err);
    if (mutated("pending-is-active") && rc == OK && merchant_id != NULL && card->status == CARD_PENDING) {
        card->status = CARD_ACTIVE;
        card->provider_ref = card->method_sent;
    }
    return rc;
}

WRAPPED(enum errc, card_event_apply, struct tx *tx, const struct provider_event *event,
        struct card_subject *subject, struct err *err)
{
    struct card *card = &subject->card;
    if (!mutated("setup-believed") || event->kind != EVENT_SETUP || card->status != CARD_PENDING) {
        return __real_card_event_apply(tx, event, subject, err);
    }
    card->status = CARD_ACTIVE;
    card->provider_ref = card->method_sent;
    return card_update(tx->db, card, err);
}

WRAPPED(enum errc, card_schedule, struct tx *tx, const struct card *card, const char *kind, int64_t delay_us,
        struct err *err)
{
    bool forgotten = mutated("detach-forgotten") && text_equal(kind, OPERATION_DETACH);
    return forgotten ? OK : __real_card_schedule(tx, card, kind, delay_us, err);
}

WRAPPED(enum errc, refund_sums, struct db *db, const struct uuid *payment_id, int64_t *completed_minor,
        int64_t *pending_minor, struct err *err)
{
    enum errc rc = __real_refund_sums(db, payment_id, completed_minor, pending_minor, err);
    if (mutated("no-reservation")) {
        *pending_minor = 0;
    }
    return rc;
}

WRAPPED(enum errc, refund_is_awaited, struct db *db, const struct uuid *payment_id, int64_t amount_minor,
        bool *awaited, struct err *err)
{
    enum errc rc = __real_refund_is_awaited(db, payment_id, amount_minor, awaited, err);
    *awaited = *awaited && !mutated("refund-not-awaited");
    return rc;
}

WRAPPED(enum errc, payment_schedule_refund_list, struct tx *tx, const struct payment *payment,
        const char *whole_charge, struct err *err)
{
    return mutated("list-not-read") ? OK
                                    : __real_payment_schedule_refund_list(tx, payment, whole_charge, err);
}

WRAPPED(enum errc, inbound_apply, struct tx *tx, const struct inbound *inbound, struct err *err)
{
    return mutated("event-not-applied") ? OK : __real_inbound_apply(tx, inbound, err);
}

WRAPPED(enum errc, inbox_record, struct db *db, const struct inbox_event *event, bool *fresh, struct err *err)
{
    enum errc rc = __real_inbox_record(db, event, fresh, err);
    if (mutated("event-applied-twice")) {
        *fresh = true;
    }
    return rc;
}

WRAPPED(enum errc, outbox_next, struct tx *tx, const struct uuid *merchant_id,
        const struct uuid *transaction_id, struct outbox_next *next, struct err *err)
{
    enum errc rc = __real_outbox_next(tx, merchant_id, transaction_id, next, err);
    if (mutated("order-by-clock")) {
        next->id = uuid_new(tx->random, tx->now_us);
    }
    if (mutated("order-unchecked") && next->next_attempt_us == OUTBOX_BLOCKED) {
        next->next_attempt_us = tx->now_us;
        next->is_only_due = merchant_get(tx->db, merchant_id, tx->arena, &next->merchant, NULL) == OK;
    }
    return rc;
}

static void (*end_lease)(void *context, struct event_lease *lease, bool committed);

static void commit_lease(void *context, struct event_lease *lease, bool committed)
{
    end_lease(context, lease, committed || mutated("sent-uncommitted"));
}

WRAPPED(struct event_listener, delivery_listener, struct delivery *delivery)
{
    struct event_listener listener = __real_delivery_listener(delivery);
    end_lease = listener.lease_ended;
    listener.lease_ended = commit_lease;
    return listener;
}

WRAPPED(int64_t, op_lease_us, const struct engine *engine)
{
    return mutated("lease-ignored") ? US_PER_S : __real_op_lease_us(engine);
}

// The engine also remembers which operations are in progress.
WRAPPED(void, op_run, struct op *op)
{
    if (mutated("lease-ignored")) {
        op->key.kind = (const void *)op; // so a lookup does not find it
    }
    __real_op_run(op);
}

WRAPPED(enum errc, outbox_append, struct tx *tx, const struct outbox_next *next, struct outbox_event *event,
        struct err *err)
{
    return mutated("event-unwritten") && random_below(20) == 0 ? OK
                                                               : __real_outbox_append(tx, next, event, err);
}

WRAPPED(enum errc, reply_insert, struct db *db, const struct uuid *subject_id,
        const struct stored_reply *reply, int64_t now_us, bool *fresh, struct err *err)
{
    if (mutated("reply-not-kept")) {
        *fresh = true;
        return OK;
    }
    return __real_reply_insert(db, subject_id, reply, now_us, fresh, err);
}

WRAPPED(struct outbox_attempt, attempt_read, struct attempt *attempt, const struct retry_schedule *schedule,
        int64_t now_us, uint32_t random32)
{
    if (mutated("sent-is-delivered")) {
        attempt->call.result = HTTP_DONE;
        attempt->call.status = 200;
    }
    return __real_attempt_read(attempt, schedule, now_us, random32);
}

WRAPPED(void, stripe_answer_read, struct provider_call *call, const struct http_call *http)
{
    __real_stripe_answer_read(call, http);
    struct provider_answer *answer = call->answer;
    bool counts_as_failed = (mutated("unknown-is-failed") && answer->outcome == PROVIDER_UNKNOWN) ||
                            (mutated("cut-is-failed") && http->result == HTTP_CUT) ||
                            (mutated("late-is-failed") && http->result == HTTP_TOO_LATE);
    if (counts_as_failed) {
        answer->outcome = PROVIDER_REFUSED;
        answer->failure = (struct failure){.code = "timeout", .message = "No answer came."};
    }
    if (mutated("fault-asked-again") && call->verb == PROVIDER_CUSTOMER &&
        answer->outcome == PROVIDER_LOOK_UP) {
        answer->outcome = PROVIDER_UNKNOWN;
    }
}

void mutation_set_up(void)
{
    // With this window a second attempt often waits for a connection when the window ends: 9 of 30 seeds show
    // it.
    if (mutated("late-is-failed")) {
        service.config.charge_window_ms = 15000;
    }
    if (mutated("window-ignored")) {
        service.config.charge_window_ms = INT64_C(23) * 3600 * 1000;
    }
}
