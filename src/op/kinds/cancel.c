// Cancels a payment at the provider so that nobody can pay it any more: one that failed after its next action
// was handed out (nobody shall pay it later beside its replacement; this goes on until it is so), and a
// pending one because its merchant asks for it, which ends with what the provider says. Where it says that
// the intent is in another state by now, that state is read and taken over.
#include "op/kinds/cancel.h"

#include "base/text.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/kinds/kinds.h"
#include "op/kinds/modification.h"
#include "store/payments.h"

// Cancelling takes no form: an operation's tells that the payment was capturable before.
#define WAS_CAPTURABLE "capturable"

// An answer is kept under its key. Once it was that nothing was cancelled, another try needs another key;
// cancelling twice does no harm.
static const char *cancel_key(struct op *op, const struct payment *payment)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&op->row.subject_id, id);
    if (payment->status == PAYMENT_PENDING) {
        return arena_printf(&op->arena, "can_%s_%lld", id, (long long)op->row.created_us);
    }
    return op->row.still_open_us == 0 ? arena_printf(&op->arena, "can_%s", id)
                                      : arena_printf(&op->arena, "can_%s_%d", id, op->row.attempts);
}

static enum errc cancel_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, &op->arena, &payment, err);
    bool cancellable = payment.status == PAYMENT_PENDING || payment.status == PAYMENT_FAILED;
    *already_done = rc == OK && (!cancellable || payment.provider_ref == NULL);
    op->call.verb = op->row.read_next ? PROVIDER_RETRIEVE : PROVIDER_CANCEL;
    op->call.ref = payment.provider_ref;
    op->evidence_ref = payment.provider_ref;
    op->call.idempotency_key = rc == OK ? cancel_key(op, &payment) : NULL;
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

// When to ask again. An answer that a repeat would only bring again is about a state that is read at once.
static void ask_again(struct op *op, const struct tx *tx)
{
    const struct provider_answer *answer = &op->call.answer;
    int64_t reconcile_us = engine_options(op->engine)->config->reconcile_interval_ms * US_PER_MS;
    int64_t delay_us = retry_check_delay_us(tx->now_us - op->row.created_us, tx_random32(tx));
    op->row.read_next = op->call.verb == PROVIDER_CANCEL && answer->outcome == PROVIDER_LOOK_UP;
    if (op->row.read_next) {
        delay_us = 0;
    } else if (answer->outcome == PROVIDER_UNKNOWN) {
        delay_us = retry_provider_delay_us(op->row.attempts, reconcile_us, tx_random32(tx));
    }
    if (answer->retry_after_us > delay_us) {
        delay_us = answer->retry_after_us;
    }
    op_at(op, tx->now_us + delay_us);
}

// Whether what the provider tells ends it; *payment has it then.
static enum errc take(struct op *op, struct tx *tx, struct payment *payment, bool *ended, struct err *err)
{
    const struct provider_payment *reported = &op->call.answer.payment;
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

// Whether nobody can ask after it any more: the key that it was made with is refused or gone, the present one
// is of an account that does not know it, and what asks after it has no other key.
static enum errc is_out_of_reach(struct op *op, struct tx *tx, const struct payment *payment, bool *out,
                                 struct err *err)
{
    const struct provider_answer *answer = &op->call.answer;
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

static enum errc decide(struct op *op, struct tx *tx, struct payment *payment, bool *ended, struct err *err)
{
    const struct provider_answer *answer = &op->call.answer;
    if (answer->outcome == PROVIDER_DONE && answer->has_payment) {
        return take(op, tx, payment, ended, err);
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
        // Its state cannot be read, so it is what it was.
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
        rc = decide(op, tx, &payment, &ended, err);
    }
    if (rc != OK) {
        return rc;
    }
    if (ended) {
        return op->answer.refusal.code == OK ? answer_as_it_is(tx, &payment, &op->answer, err) : OK;
    }
    if (op->call.verb == PROVIDER_RETRIEVE && op->call.answer.has_payment && op->row.still_open_us == 0) {
        op->row.still_open_us = tx->now_us; // not cancelled, though that was asked for
    }
    ask_again(op, tx); // in any other state it may still be paid
    return OK;
}

static enum errc cancel_timeout_answer(const struct uuid *subject_id, struct tx *tx, struct op_answer *answer,
                                       struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, subject_id, NULL, tx->arena, &payment, err);
    return rc == OK ? answer_as_it_is(tx, &payment, answer, err) : rc;
}

const struct op_kind op_cancel = {.name = OPERATION_CANCEL,
                                  .plan = cancel_plan,
                                  .settle = cancel_settle,
                                  .timeout_answer = cancel_timeout_answer,
                                  .needs_present = true,
                                  .sends_no_body = true,
                                  .sent_again = true,
                                  .reads_refused = true};
