// See inbound_payment.h. Every change goes through payment_change.h, refund_change.h or
// dispute_change.h. Database threads.
#include "op/state/inbound_payment.h"

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "op/state/dispute_change.h"
#include "op/state/refund_change.h"
#include "op/state/schedule.h"
#include "store/payments.h"

enum errc inbound_find_payment(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
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

// What was refunded was paid, whatever is recorded here. So the payment is completed first, and then the
// provider's list of its refunds is read.
static enum errc apply_charge_refunded(struct tx *tx, struct payment *payment,
                                       const struct provider_event *event, struct err *err)
{
    const struct charge_refunded *charge = &event->charge;
    struct provider_payment reported = {
        .id = charge->payment_ref,
        .state = PROVIDER_PAYMENT_SUCCEEDED,
        .amount_provider_minor = charge->amount_minor,
        .received_provider_minor = charge->captured_minor,
        .currency = charge->currency,
    };
    enum errc rc = payment_is_captured(payment) ? OK : payment_apply_reported(tx, payment, &reported, err);
    return rc == OK ? payment_schedule_refund_list(tx, payment, charge->whole ? charge->id : NULL, err) : rc;
}

enum errc inbound_read_payment(struct tx *tx, const struct payment *payment,
                               const struct provider_event *event, struct err *err)
{
    if (payment->provider_ref == NULL) {
        return OK; // its charge is open, and finds out anyway
    }
    bool refunds = event->kind == EVENT_CHARGE_REFUNDED || event->kind == EVENT_REFUND;
    return refunds
               ? payment_schedule_refund_list(tx, payment, event->charge.whole ? event->charge.id : NULL, err)
               : payment_schedule(tx, payment, OPERATION_SYNC, 0, err);
}

// A reopened payment failed before, and the event may report that old failure. So the provider's present
// state is read instead.
static enum errc apply_payment_event(struct tx *tx, struct payment *payment,
                                     const struct provider_event *event, struct err *err)
{
    bool reopened = false;
    bool fails =
        payment->status == PAYMENT_PENDING && event->payment.state == PROVIDER_PAYMENT_ATTEMPT_FAILED;
    enum errc rc = fails ? payment_was_reopened(tx->db, &payment->id, &reopened, err) : OK;
    if (rc != OK) {
        return rc;
    }
    return reopened ? inbound_read_payment(tx, payment, event, err)
                    : payment_apply_reported(tx, payment, &event->payment, err);
}

static enum errc apply_complete(struct tx *tx, struct payment *payment, const struct provider_event *event,
                                struct err *err)
{
    switch (event->kind) {
    case EVENT_PAYMENT:
        return apply_payment_event(tx, payment, event, err);
    case EVENT_CHARGE_REFUNDED:
        return apply_charge_refunded(tx, payment, event, err);
    case EVENT_REFUND:
        return refund_apply_event(tx, payment, &event->refund, err);
    case EVENT_DISPUTE_OPENED:
    case EVENT_DISPUTE_CHANGED:
    case EVENT_DISPUTE_CLOSED:
        return dispute_apply_event(tx, payment, event, err);
    case EVENT_OTHER:
    case EVENT_SETUP:
    case EVENT_METHOD_GONE:
    case EVENT_METHOD_UPDATED:
    case EVENT_CUSTOMER_GONE:
        break;
    }
    return OK;
}

// Records that the event was ignored. It might fit after another event, which may never come, so the
// provider's present state is read. That says nothing about an event that is about another object.
static enum errc ignore_event(struct tx *tx, const struct payment *payment,
                              const struct provider_event *event, const struct err *why, bool other,
                              struct err *err)
{
    LOG(LOG_WARN, "an event does not fit its payment", LOG_STR("event_id", event->id),
        LOG_STR("reason", why->message));
    struct payment unchanged = {0};
    enum errc rc = payment_get(tx->db, &payment->id, NULL, tx->arena, &unchanged, err);
    if (rc == OK) {
        rc = inbox_settle(tx->db, &payment->merchant_id, event->livemode, event->id, INBOX_DOES_NOT_FIT, err);
    }
    if (rc == OK) {
        rc = append_history(tx, &unchanged, "ignored: an event that does not fit", err);
    }
    return rc == OK && !other ? inbound_read_payment(tx, &unchanged, event, err) : rc;
}

enum errc inbound_apply_to_payment(struct tx *tx, struct payment *payment, const struct provider_event *event,
                                   struct err *err)
{
    if (event->kind == EVENT_OTHER) {
        return OK;
    }
    if (event->payment_ref == NULL || !event->complete) {
        return inbound_read_payment(tx, payment, event, err);
    }
    struct err why = {0};
    bool other = payment->provider_ref != NULL && !text_equal(payment->provider_ref, event->payment_ref);
    enum errc rc = other ? err_set(&why, ERR_CONFLICT, "it is not about the payment's own object")
                         : apply_complete(tx, payment, event, &why);
    if (rc == ERR_CONFLICT) {
        return ignore_event(tx, payment, event, &why, other, err);
    }
    if (rc != OK) {
        *err = why;
    }
    return rc;
}
