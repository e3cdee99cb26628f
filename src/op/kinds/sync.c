// Asks after a payment that is known at the provider and not finished: a payer who has still to authenticate,
// an authorisation to be captured, an event that came incomplete. Ends when the payment does.
#include "op/engine/op.h"
#include "op/kinds/kinds.h"
#include "store/payments.h"

static enum errc sync_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, &op->arena, &payment, err);
    *already_done = rc == OK && (payment_is_captured(&payment) || payment.provider_ref == NULL);
    op->call.verb = PROVIDER_RETRIEVE;
    op->call.ref = payment.provider_ref;
    op->evidence_ref = payment.provider_ref;
    return rc;
}

// A failure that was read before the payment was brought back (authenticate.c) is the one that it had then.
static bool is_of_before(const struct op *op, const struct payment *payment, int64_t now_us)
{
    int64_t begun_us = op->leased_until_us - op_lease_us(op->engine);
    return payment->status == PAYMENT_PENDING &&
           op->call.answer.payment.state == PROVIDER_PAYMENT_ATTEMPT_FAILED &&
           payment->updated_us > begun_us && payment->updated_us <= now_us;
}

static enum errc sync_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    bool fits = false;
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    bool old = rc == OK && op->call.answer.has_payment && is_of_before(op, &payment, tx->now_us);
    bool known = op->call.answer.has_payment && !old;
    if (rc == OK && known) {
        rc = op_apply_reported(op, tx, &payment, payment_apply_reported, &fits, err);
    }
    if (rc != OK || (known && payment.status != PAYMENT_PENDING)) {
        return rc;
    }
    op_poll(op);
    if (old) {
        op_at(op, tx->now_us);
    }
    return OK;
}

const struct op_kind op_sync = {.name = OPERATION_SYNC, .plan = sync_plan, .settle = sync_settle};
