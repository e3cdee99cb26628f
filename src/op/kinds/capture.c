// The capture of an authorised payment. Preparing it makes the payment not capturable, so two captures are
// never open at once. While the provider holds the idempotency key, the capture is sent again under it; after
// that the payment is only read at the provider. A refusal is about the payment's state, which is read in the
// same attempt: if the payment is still authorised, nothing was captured, and it becomes capturable again.
// Database threads.
#include "op/kinds/capture.h"

#include "op/kinds/kinds.h"
#include "op/kinds/modification.h"
#include "op/kinds/step.h"
#include "store/payments.h"

static enum errc capture_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_plan_get(tx->db, &op->row.subject_id, &op->arena, &payment, err);
    *already_done = rc == OK && payment_is_captured(&payment);
    bool sends = step_key_is_held(op, tx->now_us) && !op->row.lookup_only;
    op->call.ref = payment.provider_ref;
    op->evidence_ref = payment.provider_ref;
    op->call.verb = sends ? PROVIDER_CAPTURE : PROVIDER_RETRIEVE;
    if (sends) {
        op->call.send_before_us = op->row.created_us + STEP_KEY_HELD_US;
        // The time keeps a later capture from getting this one's refusal.
        op->call.idempotency_key = step_key(&op->arena, "cap", &op->row.subject_id, NULL, op->row.created_us);
        op->call.body = op->row.body;
    }
    return rc;
}

enum errc capture_prepare(struct engine *engine, struct tx *tx, struct payment *payment, int64_t amount_minor,
                          struct op **op, struct err *err)
{
    struct operation row = operation_on_payment(tx, op_capture.name, payment);
    row.body = engine_options(engine)->provider->ops->capture_body(payment, amount_minor, tx->arena);
    enum errc rc = payment_set_capturable(tx, payment, false, "capture requested", err);
    return rc == OK ? op_prepare(engine, &op_capture, &row, tx, op, err) : rc;
}

// Applies what the provider reports. If that is not the end, the payment is read again, never captured again.
static enum errc settle_reported(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    struct provider_payment *reported = &op->call.answer->payment;
    bool authorised = reported->state == PROVIDER_PAYMENT_CAPTURABLE;
    if (reported->received_provider_minor < 0) { // not reported: the provider captured what was requested
        reported->received_provider_minor = op_provider(op)->capture_amount(op->row.body);
    }
    bool read = op->call.verb == PROVIDER_RETRIEVE;
    bool fits = false;
    enum errc rc = op_apply_reported(
        op, tx, payment, authorised ? payment_check_reported : payment_apply_reported, &fits, err);
    if (rc != OK || !fits) {
        op_retry(op);
        return rc;
    }
    if (authorised && read && payment->status == PAYMENT_PENDING) {
        return modification_undo(op, tx, payment, true, "capture refused", err);
    }
    if (payment->status == PAYMENT_PENDING) {
        op->row.lookup_only = true;
        op_retry(op);
    }
    return OK;
}

static enum errc settle_answer(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    if (answer->outcome == PROVIDER_DONE && answer->has_payment) {
        return settle_reported(op, tx, payment, err);
    }
    if (modification_is_refused(op)) {
        return payment->status == PAYMENT_PENDING
                   ? modification_undo(op, tx, payment, true, "capture refused", err)
                   : OK;
    }
    op->row.lookup_only = op->row.lookup_only || answer->outcome == PROVIDER_LOOK_UP;
    if (payment->status == PAYMENT_PENDING || payment->status == PAYMENT_FAILED) {
        op_retry(op);
    }
    return OK;
}

static enum errc answer_as_it_is(struct tx *tx, const struct payment *payment, struct op_answer *answer,
                                 struct err *err)
{
    if (payment_is_captured(payment)) {
        return modification_answer(tx, payment, 200, answer, err);
    }
    if (payment->status == PAYMENT_PENDING) {
        return modification_answer_unfinished(tx, payment, &op_capture, answer, err);
    }
    (void)err_set(&answer->refusal, ERR_CONFLICT, "the payment failed instead of being captured");
    return OK;
}

static enum errc capture_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        rc = settle_answer(op, tx, &payment, err);
    }
    bool unanswered = op->verdict == VERDICT_CLOSE && op->record->answer.refusal.code == OK;
    return rc == OK && unanswered ? answer_as_it_is(tx, &payment, &op->record->answer, err) : rc;
}

static enum errc capture_timeout_answer(const struct uuid *subject_id, struct tx *tx,
                                        struct op_answer *answer, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, subject_id, NULL, tx->arena, &payment, err);
    return rc == OK ? answer_as_it_is(tx, &payment, answer, err) : rc;
}

const struct op_kind op_capture = {
    .name = OPERATION_CAPTURE,
    .subject = SUBJECT_PAYMENT,
    .plan = capture_plan,
    .settle = capture_settle,
    .timeout_answer = capture_timeout_answer,
    .reads_refused = true,
};
