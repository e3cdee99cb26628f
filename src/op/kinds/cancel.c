// Cancels a payment at the provider, so that nobody can pay it any more. A merchant cancels a pending
// payment; that ends with the provider's answer. A failed payment is canceled if its payer was given a next
// action, so that it cannot be paid beside its replacement; that is repeated until it is canceled. If the
// provider answers that the payment is in another state, that state is read and applied. Database threads.
#include "op/kinds/cancel.h"

#include "base/text.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/kinds/kinds.h"
#include "op/kinds/modification.h"
#include "op/kinds/step.h"
#include "store/payments.h"

// A cancellation sends no body. The row's body says that the payment was capturable before.
#define WAS_CAPTURABLE "capturable"

// The number of the idempotency key. The provider answers a known key with the old answer, so another try
// after one that canceled nothing needs another key. Cancelling twice does no harm.
static int64_t key_number(const struct op *op, const struct payment *payment)
{
    if (payment->status == PAYMENT_PENDING) {
        return op->row.created_us;
    }
    return op->row.still_open_us == 0 ? 0 : op->row.attempts;
}

static enum errc cancel_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_plan_get(tx->db, &op->row.subject_id, &op->arena, &payment, err);
    bool cancellable = payment.status == PAYMENT_PENDING || payment.status == PAYMENT_FAILED;
    *already_done = rc == OK && (!cancellable || payment.provider_ref == NULL);
    op->call.verb = op->row.read_next ? PROVIDER_RETRIEVE : PROVIDER_CANCEL;
    op->call.ref = payment.provider_ref;
    op->evidence_ref = payment.provider_ref;
    op->call.idempotency_key =
        step_key(&op->arena, "can", &op->row.subject_id, NULL, key_number(op, &payment));
    return rc;
}

enum errc cancel_prepare(struct engine *engine, struct tx *tx, struct payment *payment, struct op **op,
                         struct err *err)
{
    struct operation row = operation_on_payment(tx, op_cancel.name, payment);
    row.body = payment->capturable ? WAS_CAPTURABLE : NULL;
    enum errc rc = payment_set_capturable(tx, payment, false, "cancellation requested", err);
    return rc == OK ? op_prepare(engine, &op_cancel, &row, tx, op, err) : rc;
}

// The payment is not canceled yet: sends the cancellation again later, or, if its key would only bring the
// same answer again, reads the payment at once.
static void schedule_next(struct op *op, const struct tx *tx)
{
    const struct provider_answer *answer = op->call.answer;
    int64_t reconcile_us = engine_options(op->engine)->config->reconcile_interval_ms * US_PER_MS;
    int64_t delay_us = retry_check_delay_us(tx->now_us - op->row.created_us, random_u32(tx->random));
    op->row.read_next = op->call.verb == PROVIDER_CANCEL && answer->outcome == PROVIDER_LOOK_UP;
    if (op->row.read_next) {
        delay_us = 0;
    } else if (answer->outcome == PROVIDER_UNKNOWN) {
        delay_us = retry_provider_delay_us(op->row.attempts, reconcile_us, random_u32(tx->random));
    }
    if (answer->retry_after_us > delay_us) {
        delay_us = answer->retry_after_us;
    }
    op_at(op, tx->now_us + delay_us);
}

// Applies what the provider reports. *ended: nothing is left to cancel.
static enum errc settle_reported(struct op *op, struct tx *tx, struct payment *payment, bool *ended,
                                 struct err *err)
{
    const struct provider_payment *reported = &op->call.answer->payment;
    bool canceled = reported->state == PROVIDER_PAYMENT_CANCELED;
    bool read = op->call.verb == PROVIDER_RETRIEVE;
    bool authorised = reported->state == PROVIDER_PAYMENT_CAPTURABLE;
    if (canceled && payment->status == PAYMENT_FAILED) {
        *ended = true;
        return append_history(tx, payment, "canceled at the provider", err);
    }
    if (payment->status == PAYMENT_FAILED && reported->state != PROVIDER_PAYMENT_SUCCEEDED) {
        return OK;
    }
    bool fits = false;
    enum errc rc = op_apply_reported(
        op, tx, payment, authorised ? payment_check_reported : payment_apply_reported, &fits, err);
    if (rc != OK || !fits) {
        return rc;
    }
    *ended = canceled || payment_is_captured(payment);
    if (payment->status == PAYMENT_PENDING && read) {
        *ended = true;
        return modification_undo(op, tx, payment, authorised, "cancellation refused", err);
    }
    return OK;
}

// True if no key is left that can read the payment: the key that it was made with is refused or deleted, the
// present key belongs to an account that does not know it, and the payment's sync operation has no other key.
static enum errc is_out_of_reach(struct op *op, struct tx *tx, const struct payment *payment, bool *out,
                                 struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    const struct uuid *own = &payment->credential_version_id;
    const struct provider_ops *provider = provider_find(payment->provider);
    bool missing = answer->outcome == PROVIDER_REFUSED &&
                   provider->failure_meaning(answer->failure.code) == FAILURE_NO_SUCH_OBJECT &&
                   provider->failure_meaning(op->refusal.code) == FAILURE_NO_SUCH_OBJECT &&
                   !uuid_equal(&op->row.credential_version_id, own);
    struct operation sync = {0};
    *out = missing || op->proof == PROOF_OTHER_ACCOUNT;
    if (!*out) {
        return OK;
    }
    enum errc rc = operation_get(tx->db, &payment->id, op_sync.name, tx->arena, &sync, err);
    *out = rc == ERR_NOT_FOUND || uuid_equal(&sync.credential_version_id, own) ||
           uuid_equal(&sync.credential_version_id, &op->present_version_id) ||
           (sync.refused_attempt > 0 && sync.refused_attempt == sync.attempts);
    return rc == ERR_NOT_FOUND ? OK : rc;
}

static enum errc abandon(struct tx *tx, struct payment *payment, struct err *err)
{
    const char *provider = provider_find(payment->provider)->display_name;
    const struct failure failure = {
        .code = "outcome_unknown",
        .message = arena_printf(
            tx->arena,
            "Canceled, but it may still be paid at %s. %s refuses the secret key that it was "
            "made with, and the current key belongs to another account, so the service cannot check. "
            "Look it up at %s.",
            provider, provider, provider),
    };
    enum errc rc = append_history(tx, payment, "canceled, outcome unknown", err);
    if (rc == OK) {
        rc = payment_fail(tx, payment, &failure, err);
    }
    return rc == OK ? operation_delete(tx->db, &payment->id, op_sync.name, err) : rc;
}

static enum errc settle_answer(struct op *op, struct tx *tx, struct payment *payment, bool *ended,
                               struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    if (answer->outcome == PROVIDER_DONE && answer->has_payment) {
        return settle_reported(op, tx, payment, ended, err);
    }
    bool out_of_reach = false;
    enum errc rc =
        payment->status == PAYMENT_PENDING ? is_out_of_reach(op, tx, payment, &out_of_reach, err) : OK;
    if (rc != OK) {
        return rc;
    }
    if (out_of_reach) {
        *ended = true;
        return abandon(tx, payment, err);
    }
    if (payment->status == PAYMENT_PENDING && modification_is_refused(op)) {
        *ended = true;
        // Its state cannot be read, so it is still what it was.
        bool was_capturable = op->row.body != NULL;
        return modification_undo(op, tx, payment, was_capturable, "cancellation refused", err);
    }
    return OK;
}

static enum errc answer_as_it_is(struct tx *tx, const struct payment *payment, struct op_answer *answer,
                                 struct err *err)
{
    if (payment->status == PAYMENT_FAILED) {
        return modification_answer(tx, payment, 200, answer, err);
    }
    if (payment->status == PAYMENT_PENDING) {
        return modification_answer_unfinished(tx, payment, &op_cancel, answer, err);
    }
    (void)err_set(&answer->refusal, ERR_CONFLICT, "the payment was completed before it could be canceled");
    return OK;
}

static enum errc cancel_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    bool ended = false;
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        rc = settle_answer(op, tx, &payment, &ended, err);
    }
    if (rc != OK) {
        return rc;
    }
    if (ended) {
        return op->record->answer.refusal.code == OK ? answer_as_it_is(tx, &payment, &op->record->answer, err)
                                                     : OK;
    }
    if (op->call.verb == PROVIDER_RETRIEVE && op->call.answer->has_payment && op->row.still_open_us == 0) {
        op->row.still_open_us = tx->now_us; // the cancellation was sent, but did not cancel it
    }
    schedule_next(op, tx); // in any other state it may still be paid
    return OK;
}

static enum errc cancel_timeout_answer(const struct uuid *subject_id, struct tx *tx, struct op_answer *answer,
                                       struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, subject_id, NULL, tx->arena, &payment, err);
    return rc == OK ? answer_as_it_is(tx, &payment, answer, err) : rc;
}

const struct op_kind op_cancel = {
    .name = OPERATION_CANCEL,
    .subject = SUBJECT_PAYMENT,
    .plan = cancel_plan,
    .settle = cancel_settle,
    .timeout_answer = cancel_timeout_answer,
    .needs_present = true,
    .sends_no_body = true,
    .sent_again = true,
    .reads_refused = true,
};
