// See inbound.h. Records each event once and applies it. An event can only change payments and cards of the
// merchant whose secret verified it, and of its own mode. inbound_payment.c and card_event.c say what it
// changes. Database threads.
#include "op/state/inbound.h"

#include "base/text.h"
#include "base/timefmt.h"
#include "op/state/card_event.h"
#include "op/state/catch_up_schedule.h"
#include "op/state/inbound_payment.h"
#include "op/state/schedule.h"
#include "store/payments.h"
#include "store/refunds.h"
#include "store/sealed.h"

// Events of one merchant that are kept for payments which are not there yet, and for how long.
#define KEPT_MAX 1000
#define KEPT_BYTES_MAX ((size_t)64 * 1024) // most have some 5 KiB
#define KEPT_US (30 * 24 * 3600 * US_PER_S)
#define KEPT_BATCH 100
// A charge that is answered normally is open for less than DISPUTED_AFTER_US, and no dispute follows it
// sooner. A dispute that is refused is delivered again for days; only charges of the last
// SENT_AGAIN_WITHIN_US count.
#define DISPUTED_AFTER_US (30 * US_PER_S)
#define SENT_AGAIN_WITHIN_US (24 * 3600 * US_PER_S)

// A dispute names its payment by the provider's id alone, which is not known here while the charge's outcome
// is unknown. ERR_OVERLOADED: it may be about an old open charge. If all open charges are young, it is
// probably about none of them: it is accepted, and fetched again when none of them is young any more.
static enum errc check_dispute(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    if (!event_is_of_dispute(event)) {
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

// *fresh is false if it was recorded before. payment_id nil: it is about no payment. ignored_because NULL: it
// is applied.
static enum errc record(struct tx *tx, const struct inbound *inbound, const struct uuid *payment_id,
                        const char *ignored_because, bool *fresh, struct err *err)
{
    struct inbox_event row = {
        .id = uuid_new(tx->random, tx->now_us),
        .merchant_id = inbound->merchant_id,
        .livemode = inbound->event.livemode,
        .event_id = inbound->event.id,
        .type = inbound->event.type,
        .payment_id = *payment_id,
        .received_us = tx->now_us,
        .outcome = ignored_because != NULL ? INBOX_IGNORED : INBOX_APPLIED,
        .reason = ignored_because,
    };
    return inbox_record(tx->db, &row, fresh, err);
}

static enum errc record_kept(struct tx *tx, const struct inbound *inbound, const struct uuid *payment_id,
                             struct err *err)
{
    const struct provider_event *event = &inbound->event;
    struct sealed sealed = seal(&tx->keyring->master, tx->arena, sealed_event_context(tx->arena, event->id),
                                inbound->body, inbound->body_bytes);
    struct inbox_event row = {
        .id = uuid_new(tx->random, tx->now_us),
        .merchant_id = inbound->merchant_id,
        .livemode = event->livemode,
        .event_id = event->id,
        .type = event->type,
        .payment_id = *payment_id,
        .body = sealed.data,
        .body_bytes = sealed.bytes,
        .received_us = tx->now_us,
        .outcome = INBOX_KEPT,
        .reason = INBOX_AWAITS_PAYMENT,
    };
    bool fresh = false;
    return inbox_record(tx->db, &row, &fresh, err);
}

static bool names_ours(const struct inbound *inbound, struct uuid *payment_id)
{
    const struct provider_event *event = &inbound->event;
    struct uuid merchant_id = {{0}};
    return event->kind != EVENT_OTHER && event->payment_id != NULL && event->merchant_id != NULL &&
           uuid_parse(event->payment_id, payment_id) && uuid_parse(event->merchant_id, &merchant_id) &&
           uuid_equal(&merchant_id, &inbound->merchant_id);
}

// The payment is not here. If the event names one of this merchant's, it may still come, and the event is
// kept. An event that names none is not recorded: an account may have any number of payments that are not
// this service's.
static enum errc keep(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    struct uuid payment_id = {{0}};
    if (!names_ours(inbound, &payment_id)) {
        return check_dispute(tx, inbound, err);
    }
    enum errc rc = OK;
    if (event->marked) {
        rc = catch_up_schedule(tx, &inbound->merchant_id, event->livemode, &payment_id, err);
    }
    bool may_be_kept = inbound->body != NULL && inbound->body_bytes <= KEPT_BYTES_MAX;
    if (rc == OK && !may_be_kept) {
        rc = check_dispute(tx, inbound, err);
    }
    int64_t kept = 0;
    if (rc == OK && may_be_kept) {
        rc = inbox_kept_count(tx->db, &inbound->merchant_id, &kept, err);
    }
    if (rc != OK) {
        return rc;
    }
    if (may_be_kept && kept < KEPT_MAX) {
        return record_kept(tx, inbound, &payment_id, err);
    }
    bool fresh = false;
    return record(tx, inbound, &payment_id, inbound->body != NULL ? INBOX_NO_ROOM : INBOX_PAYMENT_UNKNOWN,
                  &fresh, err);
}

static enum errc apply_to_cards(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    static const struct uuid none = {{0}};
    struct card_subject subject = {0};
    bool fresh = false;
    enum errc rc = card_event_find(tx, tx->arena, &inbound->merchant_id, &inbound->event, &subject, err);
    if (rc == OK) {
        rc = record(tx, inbound, &none, NULL, &fresh, err);
    }
    if (rc == OK && fresh) {
        return card_event_apply(tx, &inbound->event, &subject, err);
    }
    return rc == ERR_NOT_FOUND ? OK : rc;
}

// A thin event only names its object, and that is read: a payment, or the refunds of a payment. Otherwise
// the full event of the same change is fetched, so this one is not recorded.
static enum errc apply_thin(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    struct payment payment = {0};
    struct refund refund = {0};
    enum errc rc = ERR_NOT_FOUND;
    if (event->kind == EVENT_PAYMENT) {
        rc = inbound_find_payment(tx, tx->arena, &inbound->merchant_id, event, &payment, err);
        return rc == OK ? inbound_read_payment(tx, &payment, event, err) : rc == ERR_NOT_FOUND ? OK : rc;
    }
    if (event->kind == EVENT_REFUND) {
        rc = refund_by_ref(tx->db, &inbound->merchant_id, event->livemode, event->object_id, tx->arena,
                           &refund, err);
    }
    if (rc == OK) {
        rc = payment_get(tx->db, &refund.payment_id, &inbound->merchant_id, tx->arena, &payment, err);
        return rc == OK ? inbound_read_payment(tx, &payment, event, err) : rc;
    }
    return rc == ERR_NOT_FOUND
               ? events_schedule(tx, &inbound->merchant_id, event->livemode, event->created_s, 0, err)
               : rc;
}

// Whether an event of deleted credentials may still change this payment: it, or a refund of it, is not
// final. A payment that its merchant abandoned is not final either.
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
    enum errc rc = inbound_find_payment(tx, tx->arena, &inbound->merchant_id, event, &payment, err);
    if (rc == OK) {
        rc = is_open(tx, &payment, &open, err);
    }
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    rc = record(tx, inbound, &payment.id, open ? NULL : INBOX_CREDENTIALS_DELETED, &fresh, err);
    return rc == OK && fresh && open ? inbound_apply_to_payment(tx, &payment, event, err) : rc;
}

enum errc inbound_apply(struct tx *tx, const struct inbound *inbound, struct err *err)
{
    const struct provider_event *event = &inbound->event;
    struct payment payment = {0};
    if (inbound->retired) {
        return apply_retired(tx, inbound, err);
    }
    if (event->kind == EVENT_SETUP || event->kind == EVENT_METHOD_GONE ||
        event->kind == EVENT_METHOD_UPDATED || event->kind == EVENT_CUSTOMER_GONE) {
        return apply_to_cards(tx, inbound, err);
    }
    if (event->thin) {
        return apply_thin(tx, inbound, err);
    }
    enum errc rc = inbound_find_payment(tx, tx->arena, &inbound->merchant_id, event, &payment, err);
    if (rc == ERR_NOT_FOUND) {
        return keep(tx, inbound, err);
    }
    if (rc != OK) {
        return rc;
    }
    bool fresh = false;
    rc = record(tx, inbound, &payment.id, NULL, &fresh, err);
    return rc == OK && fresh ? inbound_apply_to_payment(tx, &payment, event, err) : rc;
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
    if (rc != OK) { // it was parsed when it was kept, so it is damaged now
        return inbox_settle(tx->db, &row->merchant_id, row->livemode, row->event_id, INBOX_UNREADABLE, err);
    }
    struct payment payment = {0};
    tx->cause = "event";
    tx->cause_ref = event.id;
    rc = inbound_find_payment(tx, tx->arena, &row->merchant_id, &event, &payment, err);
    if (rc == ERR_NOT_FOUND) { // the payment belongs to another merchant or mode: the event cannot change it
        return inbox_settle(tx->db, &row->merchant_id, row->livemode, row->event_id, INBOX_PAYMENT_UNKNOWN,
                            err);
    }
    if (rc == OK) {
        rc = inbox_settle(tx->db, &row->merchant_id, row->livemode, row->event_id, NULL, err);
    }
    return rc == OK ? inbound_apply_to_payment(tx, &payment, &event, err) : rc;
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
