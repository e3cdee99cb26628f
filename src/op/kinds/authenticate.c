// Confirms a payment once more, with its payer present, after it failed because the payer had to
// authenticate. It is the same payment at the provider, so it is paid at most once, whatever is lost and sent
// again. It stays failed here until the provider reports that it is confirmed. The request is sent, or sent
// again, only within the charge window and under one key; after that the payment is only read. A refusal is
// about the payment's state, which is read in the same attempt. Database threads.
#include "op/kinds/authenticate.h"

#include "op/kinds/kinds.h"
#include "op/kinds/modification.h"
#include "op/kinds/step.h"
#include "store/payments.h"

static enum errc authenticate_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_plan_get(tx->db, &op->row.subject_id, &op->arena, &payment, err);
    *already_done = rc == OK && payment.status != PAYMENT_FAILED;
    bool sends = step_is_in_charge_window(op, tx->now_us) && !op->row.lookup_only;
    op->call.ref = payment.provider_ref;
    op->evidence_ref = payment.provider_ref;
    op->call.verb = sends ? PROVIDER_CONFIRM : PROVIDER_RETRIEVE;
    if (sends) {
        op->call.send_before_us = step_charge_window_end_us(op);
        // The time keeps a later request from getting this one's answer.
        op->call.idempotency_key =
            step_key(&op->arena, "auth", &op->row.subject_id, NULL, op->row.created_us);
        op->call.body = op->row.body;
    }
    return rc;
}

enum errc authenticate_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                               const char *method_ref, const char *return_url, struct op **op,
                               struct err *err)
{
    struct operation row = operation_on_payment(tx, op_authenticate.name, payment);
    row.body = engine_options(engine)->provider->ops->confirm_body(method_ref, return_url, tx->arena);
    enum errc rc = append_history(tx, payment, "authentication requested", err);
    return rc == OK ? op_prepare(engine, &op_authenticate, &row, tx, op, err) : rc;
}

// The payment is not confirmed at the provider. If the request was not answered, it may still be on its way:
// a second reading, STEP_ABSENT_US later, must agree.
static enum errc settle_not_confirmed(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    const struct provider_payment *reported = &op->call.answer->payment;
    bool canceled = reported->state == PROVIDER_PAYMENT_CANCELED;
    bool answered = op->refusal.code != NULL || op->call.verb == PROVIDER_CONFIRM;
    if (!answered && !canceled) {
        if (op->row.absent_us == 0) {
            op->row.absent_us = tx->now_us;
        }
        if (tx->now_us - op->row.absent_us < STEP_ABSENT_US) {
            op_at(op, op->row.absent_us + STEP_ABSENT_US);
            return OK;
        }
    }
    bool has_reason = canceled || reported->failure.code != NULL;
    struct failure failure = has_reason ? payment_failure_of(reported) : payment->failure;
    modification_refuse(op);
    return payment_fail_again(tx, payment, &failure, "authentication refused", err);
}

static bool is_not_confirmed(const struct op *op)
{
    const struct provider_payment *reported = &op->call.answer->payment;
    // The provider may not report why a payment was declined.
    bool idle = reported->state == PROVIDER_PAYMENT_OPEN && reported->next_action == NEXT_ACTION_NONE;
    return reported->state == PROVIDER_PAYMENT_ATTEMPT_FAILED ||
           reported->state == PROVIDER_PAYMENT_CANCELED || (idle && op->call.verb == PROVIDER_RETRIEVE);
}

static enum errc settle_reported(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    const struct provider_payment *reported = &op->call.answer->payment;
    bool fits = false;
    enum errc rc = op_apply_reported(op, tx, payment, payment_check_reported, &fits, err);
    if (rc == OK && fits && is_not_confirmed(op)) {
        return settle_not_confirmed(op, tx, payment, err);
    }
    if (rc == OK && fits) {
        bool paid = reported->state == PROVIDER_PAYMENT_SUCCEEDED;
        rc = op_apply_reported(op, tx, payment, paid ? payment_apply_reported : payment_reopen, &fits, err);
    }
    if (rc == OK && !fits) {
        op_retry(op);
    } else if (rc == OK && payment->status == PAYMENT_PENDING) {
        rc = payment_schedule_sync(tx, payment, err);
    }
    return rc;
}

static enum errc settle_answer(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    if (payment->status != PAYMENT_FAILED) {
        return OK; // an event reported before this answer that it was paid
    }
    if (answer->outcome == PROVIDER_DONE && answer->has_payment) {
        return settle_reported(op, tx, payment, err);
    }
    if (modification_is_refused(op)) {
        return modification_undo(op, tx, payment, false, "authentication refused", err);
    }
    op->row.lookup_only = op->row.lookup_only || answer->outcome == PROVIDER_LOOK_UP;
    op_retry(op);
    return OK;
}

static enum errc answer_as_it_is(struct tx *tx, const struct payment *payment, struct op_answer *answer,
                                 struct err *err)
{
    if (payment->status != PAYMENT_FAILED) {
        return modification_answer(tx, payment, 200, answer, err);
    }
    struct operation open = {0};
    enum errc rc = operation_get(tx->db, &payment->id, op_authenticate.name, tx->arena, &open, err);
    if (rc == OK) {
        return modification_answer(tx, payment, 202, answer, err);
    }
    if (rc == ERR_NOT_FOUND) {
        (void)err_set(&answer->refusal, ERR_PROVIDER_REJECTED, "the payment was not confirmed: %s",
                      payment->failure.code);
        return OK;
    }
    return rc;
}

static enum errc authenticate_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        rc = settle_answer(op, tx, &payment, err);
    }
    bool unanswered = op->verdict == VERDICT_CLOSE && op->record->answer.refusal.code == OK;
    return rc == OK && unanswered ? answer_as_it_is(tx, &payment, &op->record->answer, err) : rc;
}

static enum errc authenticate_timeout_answer(const struct uuid *subject_id, struct tx *tx,
                                             struct op_answer *answer, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, subject_id, NULL, tx->arena, &payment, err);
    return rc == OK ? answer_as_it_is(tx, &payment, answer, err) : rc;
}

const struct op_kind op_authenticate = {
    .name = OPERATION_AUTHENTICATE,
    .subject = SUBJECT_PAYMENT,
    .plan = authenticate_plan,
    .settle = authenticate_settle,
    .timeout_answer = authenticate_timeout_answer,
    .reads_refused = true,
};
