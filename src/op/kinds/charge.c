// The charge of a payment. It is sent, or sent again, only within the charge window, always with the same
// body, idempotency key and credentials; after that it is only looked up. If the provider definitely refused
// it, the payment fails; otherwise the operation stays open until the outcome is known. Database threads.
#include "op/kinds/charge.h"

#include "base/timefmt.h"
#include "op/kinds/charge_customer.h"
#include "op/kinds/customer.h"
#include "op/kinds/kinds.h"
#include "op/kinds/step.h"
#include "op/state/reply.h"
#include "store/credentials.h"
#include "store/idempotency.h"
#include "store/outbox.h"
#include "store/payments.h"

// If the two clocks differ by more than this, a list by time proves nothing.
#define CLOCKS_DIFFER_US (300 * US_PER_S)

static const struct failure out_of_reach = {
    .code = "provider_unavailable",
    .message = "The provider could not be reached in time; nothing was charged.",
};

static void plan_send(struct op *op)
{
    op->call.send_before_us = step_charge_window_end_us(op);
    op->call.verb = PROVIDER_CHARGE;
    op->call.idempotency_key = step_key(&op->arena, "pay", &op->row.subject_id, NULL, 0);
    op->call.body = op->row.body;
}

static void plan_look_up(struct op *op, const struct payment *payment, int64_t now_us)
{
    op->row.lookup_only = true;
    if (payment->provider_ref != NULL) {
        op->call.verb = PROVIDER_RETRIEVE;
        op->call.ref = payment->provider_ref;
        return;
    }
    // The list begins at the earliest time at which the provider can have made the charge. The list that
    // decides that the charge is absent begins a day earlier, in case this machine's clock was wrong when the
    // charge was sent. If the charge is from the future, the clock was ahead when it was prepared, and the
    // list covers the last day.
    int64_t created_us = op->row.created_us;
    bool in_doubt = op->row.absent_us != 0 || created_us > now_us;
    op->call.verb = PROVIDER_LIST;
    op->call.created_from_s = (created_us < now_us ? created_us : now_us) / US_PER_S -
                              (in_doubt ? STEP_CLOCK_DOUBT_S : STEP_CLOCK_SLACK_S);
}

static enum errc fail_unsent(const struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    struct op_answer kept = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        rc = payment_fail(tx, &payment, &out_of_reach, err);
    }
    return rc == OK ? reply_keep_payment(tx, &payment, &kept, err) : rc;
}

static enum errc charge_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    if (op->row.attempts == 1 && !op->row.unresolved && op->row.created_us == tx->now_us &&
        op->row.body != NULL) {
        plan_send(op); // this transaction wrote the payment
        return OK;
    }
    struct payment payment = {0};
    enum errc rc = payment_plan_get(tx->db, &op->row.subject_id, &op->arena, &payment, err);
    op->evidence_ref = payment.provider_ref;
    if (rc == OK && payment.provider_ref == NULL && op_has_other_key(op)) {
        // Any other payment that was made with the same key is evidence, too.
        rc = payment_ref_of_version(tx->db, &payment, &op->arena, &op->evidence_ref, err);
    }
    struct op_answer kept = {0};
    bool unsent = !uuid_is_nil(&payment.customer_id) && op->row.body == NULL && payment.provider_ref == NULL;
    if (rc == OK && unsent && tx->now_us >= step_charge_window_end_us(op)) {
        *already_done = true; // it was never sent, and cannot be any more
        return fail_unsent(op, tx, err);
    }
    if (rc == OK && unsent) {
        rc = charge_customer_plan(op, tx, &payment, err);
    }
    if (rc != OK) {
        return rc;
    }
    bool too_late = !unsent && !step_is_in_charge_window(op, tx->now_us);
    if (op->row.lookup_only || payment.provider_ref != NULL || too_late) {
        plan_look_up(op, &payment, tx->now_us);
    } else if (!customer_is_being_made(op)) {
        plan_send(op);
    }
    // If nobody waits any more, a repeat is answered with the payment as it is, from now on.
    return step_patience_is_over(op, tx->now_us) ? reply_keep_payment(tx, &payment, &kept, err) : OK;
}

enum errc charge_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                         const struct saved_method *saved, struct op **op, struct err *err)
{
    static const struct saved_method none = {0};
    const struct saved_method *with = saved != NULL ? saved : &none;
    const char *body = NULL;
    enum errc rc = OK;
    if (uuid_is_nil(&payment->customer_id)) {
        rc = engine_options(engine)->provider->ops->charge_body(payment, with->customer_ref, with->method_ref,
                                                                with->off_session, tx->arena, &body, err);
    }
    if (rc == OK) {
        rc = payment_write_new(tx, payment, err);
    }
    if (rc != OK) {
        return rc;
    }
    struct operation row = operation_on_payment(tx, op_charge.name, payment);
    row.body = body;
    return op_prepare(engine, &op_charge, &row, tx, op, err);
}

// Applies what the provider reports. A payment that is not finished there is checked from now on.
static enum errc settle_reported(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    bool fits = false;
    enum errc rc = op_apply_reported(op, tx, payment, payment_apply_reported, &fits, err);
    if (rc == OK && !fits) {
        op_retry(op);
    } else if (rc == OK && payment->status == PAYMENT_PENDING) {
        rc = payment_schedule_sync(tx, payment, err);
    }
    return rc;
}

// The provider refused for good. If the refusal names a payment at the provider that may still succeed, that
// payment's state decides.
static enum errc settle_refused(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    if (!answer->has_payment) {
        bool named = !uuid_is_nil(&payment->saved_card_id) || !uuid_is_nil(&payment->customer_id);
        enum errc rc = answer->customer_missing && named ? charge_customer_missing(op, tx, payment, err) : OK;
        return rc == OK ? payment_fail(tx, payment, &answer->failure, err) : rc;
    }
    if (answer->payment.state != PROVIDER_PAYMENT_ATTEMPT_FAILED &&
        answer->payment.state != PROVIDER_PAYMENT_CANCELED) {
        return settle_reported(op, tx, payment, err);
    }
    bool fits = false;
    enum errc rc = op_apply_reported(op, tx, payment, payment_check_reported, &fits, err);
    if (rc != OK || !fits) {
        op_retry(op);
        return rc;
    }
    payment->provider_ref = answer->payment.id;
    return payment_fail(tx, payment, &answer->failure, err);
}

// A list does not show the charge. A second list, STEP_ABSENT_US later, must agree.
static enum errc settle_absent(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    if (tx->now_us < op->row.created_us) {
        op_retry(op); // the clock was ahead when the charge was prepared, nobody knows how far
        op->call.answer->reason = "this machine's clock shows a time before the payment was made";
        return OK;
    }
    int64_t differ_us = op->call.answer->server_time_us - tx->now_us;
    if (op->call.answer->server_time_us != 0 &&
        (differ_us > CLOCKS_DIFFER_US || differ_us < -CLOCKS_DIFFER_US)) {
        op_retry(op); // the list began at a time that is another one by the provider's clock
        op->call.answer->reason = "this machine's clock and the provider's differ by more than 5 minutes";
        return OK;
    }
    if (op->row.absent_us == 0) {
        op->row.absent_us = tx->now_us;
    } else if (tx->now_us - op->row.absent_us >= STEP_ABSENT_US) {
        return payment_fail(tx, payment, &out_of_reach, err);
    }
    op_at(op, op->row.absent_us + STEP_ABSENT_US);
    return OK;
}

static enum errc settle_answer(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    switch (answer->outcome) {
    case PROVIDER_DONE:
        return answer->has_payment ? settle_reported(op, tx, payment, err)
                                   : settle_absent(op, tx, payment, err);
    case PROVIDER_REFUSED:
        if (op->call.verb == PROVIDER_CHARGE) {
            return settle_refused(op, tx, payment, err);
        }
        break; // a refused look-up says nothing about the charge
    case PROVIDER_NO_AUTH:
        if (op->call.verb == PROVIDER_CHARGE && !op->row.unresolved) {
            return payment_fail(tx, payment, &answer->failure, err);
        }
        break; // the provider may have carried out an earlier attempt
    case PROVIDER_LOOK_UP:
        op->row.lookup_only = true;
        break;
    case PROVIDER_UNKNOWN:
        break;
    }
    op_retry(op);
    return OK;
}

static enum errc charge_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        rc = customer_is_being_made(op) ? charge_customer_settle(op, tx, &payment, err)
                                        : settle_answer(op, tx, &payment, err);
    }
    if (rc == OK && (op->verdict == VERDICT_CLOSE || step_patience_is_over(op, tx->now_us))) {
        rc = reply_keep_payment(tx, &payment, &op->record->answer, err);
    }
    return rc;
}

static void charge_settle_ahead(struct op *op, struct tx *tx)
{
    const struct provider_answer *answer = op->call.answer;
    const struct operation *row = &op->row;
    struct payment payment = {0};
    struct outbox_next next = {0};
    struct stored_reply reply = {0};
    struct err ignored;
    db_asked(payment_get(tx->db, &row->subject_id, NULL, tx->arena, &payment, &ignored));
    if (answer->has_payment) {
        db_asked(payment_by_ref(tx->db, &row->merchant_id, row->livemode, answer->payment.id, tx->arena,
                                &payment, &ignored));
    }
    db_asked(outbox_next(tx, &row->merchant_id, &row->subject_id, &next, &ignored));
    db_asked(reply_get(tx->db, &row->subject_id, tx->arena, &reply, &ignored));
}

// OK: the provider refused the key of the last attempt, and the merchant has no other key. ERR_CONFLICT: the
// outcome can still become known.
static enum errc check_refused(struct tx *tx, const struct payment *payment, struct err *err)
{
    struct operation open = {0};
    struct credential present = {0};
    enum errc rc = operation_get(tx->db, &payment->id, op_charge.name, tx->arena, &open, err);
    if (rc == OK) {
        rc = credential_get(tx->db, &payment->merchant_id, payment->provider, payment->livemode, tx->arena,
                            &present, err);
    }
    bool refused = rc == OK && open.refused_attempt > 0 && open.refused_attempt == open.attempts &&
                   uuid_equal(&open.refused_version_id, &present.version_id);
    if (rc != OK && rc != ERR_NOT_FOUND) {
        return rc;
    }
    return refused ? OK
                   : err_set(err, ERR_CONFLICT, "the outcome of this payment at %s is not known yet",
                             provider_find(payment->provider)->display_name);
}

enum errc charge_abandon(struct tx *tx, struct payment *payment, struct err *err)
{
    const char *provider = provider_find(payment->provider)->display_name;
    const struct failure failure = {
        .code = FAILURE_OUTCOME_UNKNOWN,
        .message =
            arena_printf(tx->arena,
                         "Canceled, but %s may have made the charge. %s refuses the secret key that it was "
                         "sent with, so the service cannot check. Look it up at %s.",
                         provider, provider, provider),
    };
    struct op_answer kept = {0};
    enum errc rc = check_refused(tx, payment, err);
    if (rc == OK) {
        rc = append_history(tx, payment, "canceled, outcome unknown", err);
    }
    if (rc == OK) {
        rc = payment_fail(tx, payment, &failure, err);
    }
    if (rc == OK) {
        rc = operation_delete(tx->db, &payment->id, op_charge.name, err);
    }
    return rc == OK ? reply_keep_payment(tx, payment, &kept, err) : rc;
}

// The pending payment becomes the first answer, unless there was one before.
static enum errc charge_timeout_answer(const struct uuid *subject_id, struct tx *tx, struct op_answer *answer,
                                       struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, subject_id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        rc = reply_keep_payment(tx, &payment, answer, err);
    }
    return rc;
}

const struct op_kind op_charge = {
    .name = OPERATION_CHARGE,
    .subject = SUBJECT_PAYMENT,
    .keeps_version = true,
    .plan = charge_plan,
    .settle = charge_settle,
    .settle_ahead = charge_settle_ahead,
    .timeout_answer = charge_timeout_answer,
};
