// Applying an event. Whatever it says, it may only touch payments and cards of the merchant whose secret
// verified it, and of its own mode.
#include "op/state/inbound.h"

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "op/state/card_event.h"
#include "op/state/catch_up_schedule.h"
#include "op/state/emit_event.h"
#include "op/state/refund_change.h"
#include "op/state/render.h"
#include "op/state/schedule.h"
#include "store/payments.h"
#include "store/refunds.h"
#include "store/sealed.h"

// Events kept for payments that are not there yet, a merchant.
#define KEPT_MAX 1000
#define KEPT_BYTES_MAX ((size_t)64 * 1024) // most have some 5 KiB
#define KEPT_US (30 * 24 * 3600 * US_PER_S)
#define KEPT_BATCH 100
// A charge that is answered as it should be is not open for so long, and no dispute comes sooner behind it;
// one that is not taken is sent again for days.
#define DISPUTED_AFTER_US (30 * US_PER_S)
#define SENT_AGAIN_WITHIN_US (24 * 3600 * US_PER_S)

// The payment that the event is about: by the provider's id, else by our id in its metadata.
static enum errc find_payment(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
                              const struct provider_event *event, struct payment *payment, struct err *err)
{
    enum errc rc = ERR_NOT_FOUND;
    if (event->payment_ref != NULL) {
        rc = payment_by_ref(tx->db, merchant_id, event->livemode, event->payment_ref, arena, payment, err);
    }
    struct uuid id = {{0}};
    if (rc == ERR_NOT_FOUND && event->payment_id != NULL && uuid_parse(event->payment_id, &id)) {
        rc = payment_get(tx->db, &id, merchant_id, arena, payment, err);
        if (rc == OK && payment->livemode != event->livemode) {
            rc = ERR_NOT_FOUND;
        }
    }
    return rc;
}

// What was refunded was paid, whatever we knew of it: that is taken over first, and then the provider's list
// of the refunds.
static enum errc apply_charge(struct tx *tx, struct payment *payment, const struct provider_event *event,
                              struct err *err)
{
    const struct charge_refunded *charge = &event->charge;
    struct provider_payment reported = {
        .id = charge->payment_ref,
        .state = PROVIDER_PAYMENT_SUCCEEDED,
        .amount_provider_minor = charge->amount_minor,
        .received_provider_minor = charge->captured_minor,
        .currency = charge->currency,
    };
    bool made = payment_is_captured(payment);
    enum errc rc = made ? OK : payment_apply_reported(tx, payment, &reported, err);
    return rc == OK ? payment_schedule_refund_list(tx, payment, charge->whole ? charge->id : NULL, err) : rc;
}

static enum errc apply_dispute(struct tx *tx, const struct payment *payment,
                               const struct provider_event *event, struct err *err)
{
    bool opened = event->kind == EVENT_DISPUTE_OPENED;
    struct json_object *data = NULL;
    enum errc rc = append_history(tx, payment, opened ? "disputed" : "dispute closed", err);
    if (rc == OK) {
        rc = render_payment(payment, &tx->keyring->master, RENDER_EVENT, tx->arena, &data, err);
    }
    if (rc != OK) {
        return rc;
    }
    json_add(data, "dispute", render_dispute(provider_find(payment->provider), &event->dispute));
    return emit_event(tx, &payment->merchant_id, payment->livemode, &payment->id,
                      opened ? "payment.disputed" : "payment.dispute_closed", data, err);
}

// Not enough is said to act on. Where the object is known it is read; where it is not, the open charge asks
// anyway.
static enum errc ask(struct tx *tx, const struct payment *payment, const struct provider_event *event,
                     struct err *err)
{
    if (payment->provider_ref == NULL) {
        return OK;
    }
    bool refunds = event->kind == EVENT_CHARGE_REFUNDED || event->kind == EVENT_REFUND;
    return refunds
               ? payment_schedule_refund_list(tx, payment, event->charge.whole ? event->charge.id : NULL, err)
               : payment_schedule(tx, payment, OPERATION_SYNC, 0, err);
}

// A payment that was brought back had failed before: a failure may be of then, so it is read how things
// stand.
static enum errc apply_reported(struct tx *tx, struct payment *payment, const struct provider_event *event,
                                struct err *err)
{
    bool reopened = false;
    bool fails =
        payment->status == PAYMENT_PENDING && event->payment.state == PROVIDER_PAYMENT_ATTEMPT_FAILED;
    enum errc rc = fails ? payment_was_reopened(tx->db, &payment->id, &reopened, err) : OK;
    if (rc != OK) {
        return rc;
    }
    return reopened ? ask(tx, payment, event, err)
                    : payment_apply_reported(tx, payment, &event->payment, err);
}

static enum errc apply_complete(struct tx *tx, struct payment *payment, const struct provider_event *event,
                                struct err *err)
{
    switch (event->kind) {
    case EVENT_PAYMENT:
        return apply_reported(tx, payment, event, err);
    case EVENT_CHARGE_REFUNDED:
        return apply_charge(tx, payment, event, err);
    case EVENT_REFUND:
        return refund_apply_event(tx, payment, &event->refund, err);
    case EVENT_DISPUTE_OPENED:
    case EVENT_DISPUTE_CLOSED:
        return apply_dispute(tx, payment, event, err);
    case EVENT_OTHER:
    case EVENT_SETUP:
    case EVENT_METHOD_GONE:
    case EVENT_METHOD_UPDATED:
    case EVENT_CUSTOMER_GONE:
        break;
    }
    return OK;
}

// It may fit once another event has come, and that may never come: the provider is asked how things stand.
// Of another object there is nothing to ask.
static enum errc does_not_fit(struct tx *tx, const struct payment *payment,
                              const struct provider_event *event, const struct err *why, bool other,
                              struct err *err)
{
    LOG(LOG_WARN, "an event does not fit its payment", LOG_STR("event_id", event->id),
        LOG_STR("reason", why->message));
    struct payment unchanged = {0};
    enum errc rc = payment_get(tx->db, &payment->id, NULL, tx->arena, &unchanged, err);
    if (rc == OK) {
        rc = append_history(tx, &unchanged, "ignored: an event that does not fit", err);
    }
    return rc == OK && !other ? ask(tx, &unchanged, event, err) : rc;
}

static enum errc apply(struct tx *tx, struct payment *payment, const struct provider_event *event,
                       struct err *err)
{
    if (event->kind == EVENT_OTHER) {
        return OK;
    }
    if (event->payment_ref == NULL || !event->complete) {
        return ask(tx, payment, event, err);
    }
    struct err why = {0};
    bool other = payment->provider_ref != NULL && !text_equal(payment->provider_ref, event->payment_ref);
    enum errc rc = other ? err_set(&why, ERR_CONFLICT, "it is not about the payment's own object")
                         : apply_complete(tx, payment, event, &why);
    if (rc == ERR_CONFLICT) {
        return does_not_fit(tx, payment, event, &why, other, err);
    }
    if (rc != OK) {
        *err = why;
    }
    return rc;
}

// A dispute says whose payment it is about by the provider's id alone, which is not known here while what
// became of its charge is not. Where every open charge is young, it is probably about none of them: it is
// taken, and fetched again when none of them is young any more.
static enum errc check_known(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    if (event->kind != EVENT_DISPUTE_OPENED && event->kind != EVENT_DISPUTE_CLOSED) {
        return OK;
    }
    int64_t now_us = tx->now_us;
    int64_t from_us = now_us - SENT_AGAIN_WITHIN_US;
    bool any_old = false;
    bool any = false;
    enum errc rc = operations_linger(tx->db, &inbound->merchant_id, OPERATION_CHARGE, from_us,
                                     DISPUTED_AFTER_US, now_us, &any_old, err);
    if (rc == OK && any_old) {
        return err_set(err, ERR_OVERLOADED, "this may be about a payment whose outcome is not known yet");
    }
    if (rc == OK && inbound->body != NULL) {
        rc =
            operations_linger(tx->db, &inbound->merchant_id, OPERATION_CHARGE, from_us, 0, now_us, &any, err);
    }
    return rc == OK && any ? events_schedule(tx, &inbound->merchant_id, event->livemode, event->created_s,
                                             DISPUTED_AFTER_US, err)
                           : rc;
}

// No such payment. If the event names one of this merchant's, it may still come.
static enum errc keep(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    struct uuid payment_id = {{0}};
    struct uuid merchant_id = {{0}};
    bool names_ours = event->kind != EVENT_OTHER && event->payment_id != NULL && event->merchant_id != NULL &&
                      uuid_parse(event->payment_id, &payment_id) &&
                      uuid_parse(event->merchant_id, &merchant_id) &&
                      uuid_equal(&merchant_id, &inbound->merchant_id);
    if (names_ours && event->marked) {
        enum errc rc = catch_up_schedule(tx, &merchant_id, event->livemode, &payment_id, err);
        if (rc != OK) {
            return rc;
        }
    }
    if (inbound->body == NULL || !names_ours || inbound->body_bytes > KEPT_BYTES_MAX) {
        return check_known(tx, inbound, err);
    }
    int64_t kept = 0;
    enum errc rc = inbox_kept_count(tx->db, &merchant_id, &kept, err);
    if (rc != OK || kept >= KEPT_MAX) {
        return rc;
    }
    struct sealed sealed = seal(&tx->keyring->master, tx->arena, sealed_event_context(tx->arena, event->id),
                                inbound->body, inbound->body_bytes);
    struct inbox_event row = {
        .merchant_id = merchant_id,
        .livemode = event->livemode,
        .event_id = event->id,
        .type = event->type,
        .payment_id = payment_id,
        .body = sealed.data,
        .body_bytes = sealed.bytes,
        .received_us = tx->now_us,
    };
    bool fresh = false;
    return inbox_record(tx->db, &row, &fresh, err);
}

// *fresh is false where it was recorded before. payment_id nil: it is about none.
static enum errc record(struct tx *tx, const struct inbound *inbound, const struct uuid *payment_id,
                        bool *fresh, struct err *err)
{
    struct inbox_event row = {
        .merchant_id = inbound->merchant_id,
        .livemode = inbound->event.livemode,
        .event_id = inbound->event.id,
        .type = inbound->event.type,
        .payment_id = *payment_id,
        .received_us = tx->now_us,
    };
    return inbox_record(tx->db, &row, fresh, err);
}

static bool is_about_cards(const struct provider_event *event)
{
    return event->kind == EVENT_SETUP || event->kind == EVENT_METHOD_GONE ||
           event->kind == EVENT_METHOD_UPDATED || event->kind == EVENT_CUSTOMER_GONE;
}

static enum errc apply_to_cards(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    static const struct uuid none = {{0}};
    struct card_subject subject = {0};
    bool fresh = false;
    enum errc rc = card_event_find(tx, tx->arena, &inbound->merchant_id, &inbound->event, &subject, err);
    if (rc == OK) {
        rc = record(tx, inbound, &none, &fresh, err);
    }
    if (rc == OK && fresh) {
        return card_event_apply(tx, &inbound->event, &subject, err);
    }
    return rc == ERR_NOT_FOUND ? OK : rc;
}

// It names its object, and that is read: a payment, or the refunds of the payment that it names.
// What else it may be about only the event of the same change tells that says more, which is fetched; so this
// one is not recorded.
static enum errc apply_thin(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    struct payment payment = {0};
    struct refund refund = {0};
    enum errc rc = ERR_NOT_FOUND;
    if (event->kind == EVENT_PAYMENT) {
        rc = find_payment(tx, tx->arena, &inbound->merchant_id, event, &payment, err);
        return rc == OK ? ask(tx, &payment, event, err) : rc == ERR_NOT_FOUND ? OK : rc;
    }
    if (event->kind == EVENT_REFUND) {
        rc = refund_by_ref(tx->db, &inbound->merchant_id, event->livemode, event->object_id, tx->arena,
                           &refund, err);
    }
    if (rc == OK) {
        rc = payment_get(tx->db, &refund.payment_id, &inbound->merchant_id, tx->arena, &payment, err);
        return rc == OK ? ask(tx, &payment, event, err) : rc;
    }
    return rc == ERR_NOT_FOUND
               ? events_schedule(tx, &inbound->merchant_id, event->livemode, event->created_s, 0, err)
               : rc;
}

// Whether deleted credentials may still tell of this payment: it, or a refund of it, is not final. One that
// its merchant ended without the provider's word is not.
static enum errc is_open(struct tx *tx, const struct payment *payment, bool *open, struct err *err)
{
    int64_t completed_minor = 0;
    int64_t pending_minor = 0;
    enum errc rc = refund_sums(tx->db, &payment->id, &completed_minor, &pending_minor, err);
    bool ended_unknown =
        payment->status == PAYMENT_FAILED && text_equal(payment->failure.code, FAILURE_OUTCOME_UNKNOWN);
    *open = payment->status == PAYMENT_PENDING || ended_unknown || pending_minor > 0;
    return rc;
}

static enum errc apply_retired(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    struct payment payment = {0};
    bool open = false;
    bool fresh = false;
    enum errc rc = find_payment(tx, tx->arena, &inbound->merchant_id, event, &payment, err);
    if (rc == OK) {
        rc = is_open(tx, &payment, &open, err);
    }
    if (rc != OK || !open) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    rc = record(tx, inbound, &payment.id, &fresh, err);
    return rc == OK && fresh ? apply(tx, &payment, event, err) : rc;
}

enum errc inbound_apply(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    struct payment payment = {0};
    if (inbound->retired) {
        return apply_retired(tx, inbound, err);
    }
    if (is_about_cards(event)) {
        return apply_to_cards(tx, inbound, err);
    }
    if (event->thin) {
        return apply_thin(tx, inbound, err);
    }
    enum errc rc = find_payment(tx, tx->arena, &inbound->merchant_id, event, &payment, err);
    if (rc == ERR_NOT_FOUND) {
        return keep(tx, inbound, err);
    }
    if (rc != OK) {
        return rc;
    }
    bool fresh = false;
    rc = record(tx, inbound, &payment.id, &fresh, err);
    return rc == OK && fresh ? apply(tx, &payment, event, err) : rc;
}

static enum errc apply_one_kept(struct tx *tx, const struct inbox_event *row, struct err *err)
{
    struct provider_event event = {0};
    struct sealed sealed = {row->body, row->body_bytes};
    char *body = NULL;
    size_t body_bytes = 0;
    enum errc rc = seal_open(&tx->keyring->master, tx->arena, sealed_event_context(tx->arena, row->event_id),
                             sealed, &body, &body_bytes, NULL);
    if (rc == OK) {
        rc = provider_default()->event_parse(body, body_bytes, tx->arena, &event, NULL);
    }
    struct payment payment = {0};
    if (rc == OK) {
        tx->cause = "event";
        tx->cause_ref = event.id;
        rc = find_payment(tx, tx->arena, &row->merchant_id, &event, &payment, err);
        if (rc == OK) {
            rc = apply(tx, &payment, &event, err);
        } else if (rc == ERR_NOT_FOUND) {
            rc = OK; // the payment is another merchant's or mode's: nothing of this event's
        }
    } else {
        rc = OK; // it was parsed when it was kept, so it can only be damaged: let it go
    }
    return rc == OK ? inbox_done(tx->db, row, err) : rc;
}

enum errc inbound_apply_kept(struct tx *tx, struct err *err)
{
    struct inbox_event *rows = arena_alloc(tx->arena, KEPT_BATCH * sizeof(*rows));
    size_t count = 0;
    enum errc rc = inbox_ready(tx->db, tx->arena, rows, KEPT_BATCH, &count, err);
    for (size_t i = 0; rc == OK && i < count; i++) {
        rc = apply_one_kept(tx, &rows[i], err);
    }
    return rc == OK ? inbox_give_up(tx->db, tx->now_us - KEPT_US, KEPT_BATCH, err) : rc;
}
