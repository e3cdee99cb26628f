// Cancels the intent of a payment that failed after its next action was handed out, so that nobody pays it
// later beside its replacement. Where Stripe says that it is in another state by now, that state is read and
// taken over.
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/op.h"
#include "store/payments.h"

static enum errc cancel_plan(struct op *op, struct db *db, struct change *change, bool *needless,
                             struct err *err)
{
    (void)change;
    struct payment payment = {0};
    enum errc rc = payment_get(db, &op->row.subject_id, NULL, &op->arena, &payment, err);
    *needless = rc == OK && (payment.status != PAYMENT_FAILED || payment.provider_ref == NULL);
    char id[UUID_TEXT_BYTES];
    uuid_format(&op->row.subject_id, id);
    op->call.verb = op->row.look_up ? PROVIDER_RETRIEVE : PROVIDER_CANCEL;
    op->call.ref = payment.provider_ref;
    op->call.idempotency_key = arena_printf(&op->arena, "can_%s", id);
    return rc;
}

static enum errc cancel_settle(struct op *op, struct db *db, struct change *change, struct err *err)
{
    struct payment payment = {0};
    struct err why = {0};
    enum errc rc = payment_get(db, &op->row.subject_id, NULL, change->arena, &payment, err);
    if (rc != OK) {
        return rc;
    }
    bool known = op->call.answer.outcome == PROVIDER_DONE && op->call.answer.has_intent;
    if (known && op->call.answer.intent.state == INTENT_SUCCEEDED) {
        rc = change_take_intent(db, change, &payment, &op->call.answer.intent, &why);
    } else if (known && op->call.answer.intent.state == INTENT_CANCELED) {
        rc = change_note(db, change, &payment, "canceled at the provider", err);
    }
    if (rc == ERR_CONFLICT) {
        op->call.answer.trouble = arena_strdup(&op->settle_arena, why.message);
        return OK;
    }
    if (rc != OK || known) {
        return rc;
    }
    op->open = true;
    op->row.look_up = op->call.verb == PROVIDER_CANCEL && op->call.answer.outcome == PROVIDER_REFUSED;
    uint32_t random32 = 0;
    change->random->fill(change->random, &random32, sizeof(random32));
    op->row.next_attempt_us =
        change->now_us +
        retry_check_delay_us(op->row.attempts, change->now_us - op->row.created_us, random32);
    return OK;
}

const struct op_kind op_cancel = {.name = "cancel", .plan = cancel_plan, .settle = cancel_settle};
