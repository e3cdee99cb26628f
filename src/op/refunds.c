// Takes over all refunds of a payment as the provider lists them: behind a charge.refunded event, which only
// says that there is something new.
#include "base/log.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "op/op.h"
#include "op/refund_change.h"
#include "store/payments.h"

static enum errc refunds_plan(struct op *op, struct db *db, struct change *change, bool *needless,
                              struct err *err)
{
    (void)change;
    struct payment payment = {0};
    enum errc rc = payment_get(db, &op->row.subject_id, NULL, &op->arena, &payment, err);
    *needless = rc == OK && payment.provider_ref == NULL;
    op->call.verb = PROVIDER_REFUND_LIST;
    op->call.ref = payment.provider_ref;
    return rc;
}

// One that does not fit is left out, and does not keep the others from being taken over.
static enum errc take_all(struct op *op, struct db *db, struct change *change, const struct payment *payment,
                          struct err *err)
{
    for (size_t i = op->refund_count; i > 0; i--) { // listed newest first
        struct err why = {0};
        enum errc rc = refund_take_over(db, change, payment, &op->refunds[i - 1], &why);
        if (rc == ERR_CONFLICT) {
            LOG(LOG_ERROR, "a refund at the provider does not fit its payment",
                LOG_STR("refund", op->refunds[i - 1].id), LOG_STR("reason", why.message));
        } else if (rc != OK) {
            *err = why;
            return rc;
        }
    }
    return OK;
}

static enum errc refunds_settle(struct op *op, struct db *db, struct change *change, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(db, &op->row.subject_id, NULL, change->arena, &payment, err);
    if (rc != OK) {
        return rc;
    }
    bool made = payment.status == PAYMENT_COMPLETED || payment.status == PAYMENT_REFUNDED;
    if (op->call.answer.outcome == PROVIDER_DONE && made) {
        return take_all(op, db, change, &payment, err);
    }
    if (op->call.answer.outcome == PROVIDER_DONE) { // what was refunded was paid: that is learned first
        rc = change_owe(db, change, &payment, op_sync.name, 0, err);
    }
    op->open = true;
    op_put_off(op, change);
    return rc;
}

const struct op_kind op_refunds = {.name = "refunds", .plan = refunds_plan, .settle = refunds_settle};
