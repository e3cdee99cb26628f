// Reconciles all refunds of a payment with the provider's list of them: after a charge.refunded event, which
// only says that something is new, and after a report that does not fit what is known.
#include "base/log.h"
#include "base/timefmt.h"
#include "op/kinds/kinds.h"
#include "op/kinds/refund.h"
#include "op/state/refund_change.h"
#include "store/payments.h"
#include "store/refunds.h"

// A payment that has refunds at the provider and is not completed here is checked for this long.
#define MADE_WITHIN_US (3600 * US_PER_S)
// A list with a refund that does not fit is read again for this long: it may be older than what is known.
#define FITS_WITHIN_US (3600 * US_PER_S)

static enum errc refunds_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_plan_get(tx->db, &op->row.subject_id, &op->arena, &payment, err);
    *already_done = rc == OK && payment.provider_ref == NULL;
    op->call.verb = PROVIDER_REFUND_LIST;
    op->call.ref = payment.provider_ref;
    op->evidence_ref = payment.provider_ref;
    return rc;
}

const struct provider_refund *refunds_find_uncaptured(const struct op *op, const struct payment *payment)
{
    int64_t uncaptured_minor =
        provider_find(payment->provider)
            ->amount_to(payment->amount_minor - payment->captured_minor, payment->currency);
    for (size_t i = op->refund_count; uncaptured_minor > 0 && i > 0; i--) { // listed newest first
        const struct provider_refund *reported = &op->refunds[i - 1];
        if (reported->refund_id == NULL && reported->amount_provider_minor == uncaptured_minor) {
            return reported;
        }
    }
    return NULL;
}

static enum errc reconcile_one(struct op *op, struct tx *tx, const struct payment *payment,
                               const struct provider_refund *reported, bool *mismatch, struct err *err)
{
    struct err why = {0};
    bool ambiguous = false;
    enum errc rc = refund_reconcile(tx, payment, reported, &ambiguous, &why);
    if (ambiguous) {
        op_retry(op);
    }
    if (rc == ERR_CONFLICT) {
        LOG(LOG_WARN, "a refund at the provider does not fit its payment", LOG_STR("refund", reported->id),
            LOG_STR("reason", why.message));
        *mismatch = true;
        return OK;
    }
    if (rc != OK) {
        *err = why;
    }
    return rc;
}

// Failed refunds come first, since the others may need their amounts. After a refund that does not fit
// (*mismatch) the others are still reconciled.
static enum errc reconcile_all(struct op *op, struct tx *tx, const struct payment *payment, bool *mismatch,
                               struct err *err)
{
    const struct provider_refund *uncaptured = refunds_find_uncaptured(op, payment);
    enum errc rc = OK;
    for (int failed = 1; failed >= 0; failed--) {
        for (size_t i = op->refund_count; rc == OK && i > 0; i--) { // listed newest first
            const struct provider_refund *reported = &op->refunds[i - 1];
            if (reported != uncaptured && (reported->status == REFUND_FAILED) == failed) {
                rc = reconcile_one(op, tx, payment, reported, mismatch, err);
            }
        }
    }
    return rc;
}

// The provider says that the whole charge was refunded, but its list shows no refund yet. A placeholder is
// written for what is left to refund, with the charge's id, until a refund is reported. Pending refunds of
// ours are finished first.
static enum errc write_placeholder(struct op *op, struct tx *tx, const struct payment *payment,
                                   bool *mismatch, struct err *err)
{
    int64_t completed_minor = 0;
    int64_t pending_minor = 0;
    enum errc rc = refund_sums(tx->db, &payment->id, &completed_minor, &pending_minor, err);
    int64_t left_minor = payment->captured_minor - completed_minor;
    if (rc != OK || left_minor == 0) {
        return rc;
    }
    if (pending_minor > 0) {
        op_retry(op);
        return OK;
    }
    const struct provider_refund reported = {
        .id = op->row.body,
        .status = REFUND_COMPLETED,
        .amount_provider_minor = provider_find(payment->provider)->amount_to(left_minor, payment->currency),
        .currency = payment->currency->code,
    };
    return reconcile_one(op, tx, payment, &reported, mismatch, err);
}

static enum errc reconcile_list(struct op *op, struct tx *tx, const struct payment *payment, struct err *err)
{
    bool mismatch = false;
    enum errc rc = op->refund_count == 0 && op->row.body != NULL
                       ? write_placeholder(op, tx, payment, &mismatch, err)
                       : reconcile_all(op, tx, payment, &mismatch, err);
    if (rc != OK || !mismatch) {
        return rc;
    }
    if (tx->now_us - op->row.created_us < FITS_WITHIN_US) {
        op_retry(op);
        return OK;
    }
    LOG(LOG_ERROR, "the refunds at the provider do not fit their payment; compare them by hand",
        LOG_STR("provider_ref", payment->provider_ref));
    struct payment unchanged = {0};
    rc = payment_get(tx->db, &payment->id, NULL, tx->arena, &unchanged, err);
    return rc == OK ? append_history(tx, &unchanged, "ignored: a refund that does not fit", err) : rc;
}

static enum errc refunds_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    if (rc != OK) {
        return rc;
    }
    bool made = payment_is_captured(&payment);
    if (op->call.answer->outcome == PROVIDER_DONE && made) {
        return reconcile_list(op, tx, &payment, err);
    }
    if (op->call.answer->outcome == PROVIDER_DONE && op->row.unmade_us == 0) {
        op->row.unmade_us = tx->now_us; // what was refunded was paid, so the payment is checked first
        rc = payment_schedule(tx, &payment, OPERATION_SYNC, 0, err);
    } else if (op->call.answer->outcome == PROVIDER_DONE &&
               tx->now_us - op->row.unmade_us >= MADE_WITHIN_US) {
        return OK; // it was never completed: the list shows a released authorisation
    }
    op_retry(op);
    return rc;
}

const struct op_kind op_refund_list = {
    .name = OPERATION_REFUND_LIST,
    .subject = SUBJECT_PAYMENT,
    .plan = refunds_plan,
    .settle = refunds_settle,
};
