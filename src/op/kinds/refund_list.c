// Takes over all refunds of a payment as the provider lists them: after a charge.refunded event, which only
// says that there is something new, and after anything that does not fit what is known.
#include "base/log.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "op/kinds/kinds.h"
#include "op/kinds/refund.h"
#include "op/state/refund_change.h"
#include "store/payments.h"
#include "store/refunds.h"

// A payment that has refunds at the provider and is not made here is asked after for this long.
#define MADE_WITHIN_US (3600 * US_PER_S)
// A list with a refund that does not fit is read again for this long: it may be older than what is known.
#define FITS_WITHIN_US (3600 * US_PER_S)

static enum errc refunds_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, &op->arena, &payment, err);
    *already_done = rc == OK && payment.provider_ref == NULL;
    op->call.verb = PROVIDER_REFUND_LIST;
    op->call.ref = payment.provider_ref;
    op->evidence_ref = payment.provider_ref;
    return rc;
}

const struct provider_refund *refunds_find_release(const struct op *op, const struct payment *payment)
{
    int64_t released = money_to_stripe(payment->amount_minor, payment->currency) -
                       money_to_stripe(payment->captured_minor, payment->currency);
    for (size_t i = op->refund_count; released > 0 && i > 0; i--) { // listed newest first
        const struct provider_refund *said = &op->refunds[i - 1];
        if (said->refund_id == NULL && said->amount_provider_minor == released) {
            return said;
        }
    }
    return NULL;
}

static enum errc take_one(struct op *op, struct tx *tx, const struct payment *payment,
                          const struct provider_refund *said, bool *unfit, struct err *err)
{
    struct err why = {0};
    bool unclear = false;
    enum errc rc = refund_take_over(tx, payment, said, &unclear, &why);
    if (unclear) {
        op_retry(op);
    }
    if (rc == ERR_CONFLICT) {
        LOG(LOG_WARN, "a refund at the provider does not fit its payment", LOG_STR("refund", said->id),
            LOG_STR("reason", why.message));
        *unfit = true;
        return OK;
    }
    if (rc != OK) {
        *err = why;
    }
    return rc;
}

// Those that failed come first: their amounts may be what the others need. One that does not fit (*unfit)
// does not keep the others from being taken over.
static enum errc take_all(struct op *op, struct tx *tx, const struct payment *payment, bool *unfit,
                          struct err *err)
{
    const struct provider_refund *release = refunds_find_release(op, payment);
    enum errc rc = OK;
    for (int failed = 1; failed >= 0; failed--) {
        for (size_t i = op->refund_count; rc == OK && i > 0; i--) { // listed newest first
            const struct provider_refund *said = &op->refunds[i - 1];
            if (said != release && (said->status == REFUND_FAILED) == failed) {
                rc = take_one(op, tx, payment, said, unfit, err);
            }
        }
    }
    return rc;
}

// The provider's own word that all was refunded, and no refund in its list: then the charge is the one there
// is to name, for what is left. Refunds of ours that are under way come first.
static enum errc take_whole(struct op *op, struct tx *tx, const struct payment *payment, bool *unfit,
                            struct err *err)
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
    const struct provider_refund said = {
        .id = op->row.body,
        .status = REFUND_COMPLETED,
        .amount_provider_minor = money_to_stripe(left_minor, payment->currency),
        .currency = payment->currency->code,
    };
    return take_one(op, tx, payment, &said, unfit, err);
}

static enum errc take_list(struct op *op, struct tx *tx, const struct payment *payment, struct err *err)
{
    bool unfit = false;
    enum errc rc = op->refund_count == 0 && op->row.body != NULL ? take_whole(op, tx, payment, &unfit, err)
                                                                 : take_all(op, tx, payment, &unfit, err);
    if (rc != OK || !unfit) {
        return rc;
    }
    if (tx->now_us - op->row.created_us < FITS_WITHIN_US) {
        op_retry(op);
        return OK;
    }
    LOG(LOG_ERROR, "the refunds at the provider do not fit their payment; compare them by hand",
        LOG_STR("provider_ref", payment->provider_ref));
    struct payment now = {0};
    rc = payment_get(tx->db, &payment->id, NULL, tx->arena, &now, err);
    return rc == OK ? append_history(tx, &now, "ignored: a refund that does not fit", err) : rc;
}

static enum errc refunds_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    if (rc != OK) {
        return rc;
    }
    bool made = payment_is_captured(&payment);
    if (op->call.answer.outcome == PROVIDER_DONE && made) {
        return take_list(op, tx, &payment, err);
    }
    if (op->call.answer.outcome == PROVIDER_DONE && op->row.unmade_us == 0) {
        op->row.unmade_us = tx->now_us; // what was refunded was paid: that is learned first
        rc = schedule_operation(tx, &payment, OPERATION_SYNC, 0, err);
    } else if (op->call.answer.outcome == PROVIDER_DONE && tx->now_us - op->row.unmade_us >= MADE_WITHIN_US) {
        return OK; // it never was: what the list shows is an authorisation that was let go
    }
    op_retry(op);
    return rc;
}

const struct op_kind op_refund_list = {
    .name = OPERATION_REFUND_LIST, .plan = refunds_plan, .settle = refunds_settle};
