// Checks a payment that is not finished at the provider: its payer must still authenticate, it is authorised
// and not captured, or an event about it was incomplete. The operation closes when the payment is no longer
// pending. Database threads.
#include "op/engine/op.h"
#include "op/kinds/kinds.h"
#include "store/payments.h"

static enum errc sync_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_plan_get(tx->db, &op->row.subject_id, &op->arena, &payment, err);
    *already_done = rc == OK && (payment_is_captured(&payment) || payment.provider_ref == NULL);
    op->call.verb = PROVIDER_RETRIEVE;
    op->call.ref = payment.provider_ref;
    op->evidence_ref = payment.provider_ref;
    return rc;
}

// True if a failure was read before the payment was reopened (authenticate.c): it is the failure from before.
static bool is_outdated(const struct op *op, const struct payment *payment, int64_t now_us)
{
    int64_t claimed_us = op->leased_until_us - op_lease_us(op->engine);
    return payment->status == PAYMENT_PENDING &&
           op->call.answer->payment.state == PROVIDER_PAYMENT_ATTEMPT_FAILED &&
           payment->updated_us > claimed_us && payment->updated_us <= now_us;
}

static enum errc sync_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    bool fits = false;
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    bool outdated = rc == OK && op->call.answer->has_payment && is_outdated(op, &payment, tx->now_us);
    bool applies = op->call.answer->has_payment && !outdated;
    if (rc == OK && applies) {
        rc = op_apply_reported(op, tx, &payment, payment_apply_reported, &fits, err);
    }
    if (rc != OK || (applies && payment.status != PAYMENT_PENDING)) {
        return rc;
    }
    op_poll(op);
    if (outdated) {
        op_at(op, tx->now_us);
    }
    return OK;
}

const struct op_kind op_sync = {
    .name = OPERATION_SYNC,
    .subject = SUBJECT_PAYMENT,
    .plan = sync_plan,
    .settle = sync_settle,
};
