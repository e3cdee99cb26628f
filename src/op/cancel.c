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
    // An answer is kept under its key. Once it was that nothing was cancelled, another try needs another key;
    // cancelling twice does no harm.
    op->call.idempotency_key = op->row.absent_us == 0
                                   ? arena_printf(&op->arena, "can_%s", id)
                                   : arena_printf(&op->arena, "can_%s_%d", id, op->row.attempts);
    return rc;
}

// When to ask again. A refusal, or an answer that a repeat would only bring again, is about a state that is
// read at once.
static void put_off(struct op *op, struct change *change)
{
    const struct provider_answer *answer = &op->call.answer;
    int64_t reconcile_us = engine_options(op->engine)->config->reconcile_interval_ms * US_PER_MS;
    bool said_no = answer->outcome == PROVIDER_REFUSED || answer->outcome == PROVIDER_LOOK_UP;
    uint32_t random32 = 0;
    change->random->fill(change->random, &random32, sizeof(random32));
    int64_t delay_us = retry_check_delay_us(op->row.attempts, change->now_us - op->row.created_us, random32);
    op->row.look_up = op->call.verb == PROVIDER_CANCEL && said_no;
    if (op->row.look_up) {
        delay_us = 0;
    } else if (answer->outcome == PROVIDER_UNKNOWN) {
        delay_us = retry_provider_delay_us(op->row.attempts, reconcile_us, random32);
    }
    if (answer->retry_after_us > delay_us) {
        delay_us = answer->retry_after_us;
    }
    op->open = true;
    op->row.next_attempt_us = change->now_us + delay_us;
}

static enum errc cancel_settle(struct op *op, struct db *db, struct change *change, struct err *err)
{
    const struct provider_answer *answer = &op->call.answer;
    bool known = answer->outcome == PROVIDER_DONE && answer->has_intent;
    struct payment payment = {0};
    enum errc rc = payment_get(db, &op->row.subject_id, NULL, change->arena, &payment, err);
    if (rc != OK) {
        return rc;
    }
    if (known && answer->intent.state == INTENT_CANCELED) {
        return change_note(db, change, &payment, "canceled at the provider", err);
    }
    if (known && answer->intent.state == INTENT_SUCCEEDED) {
        struct err why = {0};
        rc = change_take_intent(db, change, &payment, &answer->intent, &why);
        if (rc != ERR_CONFLICT) {
            *err = why;
            return rc;
        }
        op->call.answer.trouble = arena_strdup(&op->arena, why.message);
    }
    if (op->call.verb == PROVIDER_RETRIEVE && known && op->row.absent_us == 0) {
        op->row.absent_us = change->now_us; // not cancelled, though that was asked for
    }
    put_off(op, change); // in any other state it may still be paid
    return OK;
}

const struct op_kind op_cancel = {.name = "cancel", .plan = cancel_plan, .settle = cancel_settle};
