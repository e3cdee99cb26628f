// A charge. It is sent, or sent again, only within the charge window, always with the same body, idempotency
// key and credentials; after that it is only looked for. What the provider definitely refused is failed;
// everything else is asked until it is known.
#include "op/kinds/charge.h"

#include "base/timefmt.h"
#include "op/kinds/charge_customer.h"
#include "op/kinds/customer.h"
#include "op/kinds/kinds.h"
#include "op/state/reply.h"
#include "store/credentials.h"
#include "store/payments.h"

// A charge that two lists this far apart do not show was never made.
#define ABSENT_FOR_US (600 * US_PER_S)
// The provider's clock and ours may differ by this much when a list is asked for by time.
#define CLOCK_SLACK_S 600
#define LAST_SLACK_S (24 * 3600)
// Beyond this a list by time proves nothing.
#define CLOCK_OFF_US (300 * US_PER_S)

static const struct failure out_of_reach = {
    .code = "provider_unavailable",
    .message = "The provider could not be reached in time; nothing was charged.",
};

static const char *charge_key(struct op *op)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&op->row.subject_id, id);
    return arena_printf(&op->arena, "pay_%s", id);
}

static void plan_send(struct op *op)
{
    op->call.send_before_us =
        op->row.created_us + engine_options(op->engine)->config->charge_window_ms * US_PER_MS;
    op->call.verb = PROVIDER_CHARGE;
    op->call.idempotency_key = charge_key(op);
    op->call.body = op->row.body;
}

// When the charge was made at the earliest. The last list before it is called absent reaches back so far that
// this machine's clock may have been wrong then. One of a time that has not come was made by a clock that was
// ahead: it is looked for among those of the last day.
static int64_t earliest_s(const struct op *op, int64_t now_us)
{
    int64_t created_us = op->row.created_us;
    bool far_back = op->row.absent_us != 0 || created_us > now_us;
    return (created_us < now_us ? created_us : now_us) / US_PER_S - (far_back ? LAST_SLACK_S : CLOCK_SLACK_S);
}

static void plan_look_up(struct op *op, const struct payment *payment, int64_t now_us)
{
    op->row.lookup_only = true;
    if (payment->provider_ref != NULL) {
        op->call.verb = PROVIDER_RETRIEVE;
        op->call.ref = payment->provider_ref;
        return;
    }
    op->call.verb = PROVIDER_LIST;
    op->call.created_from_s = earliest_s(op, now_us);
}

// Where this one's own id is not known, any other payment that was made with the same key tells its account.
static enum errc find_evidence(struct op *op, struct tx *tx, const struct payment *payment, struct err *err)
{
    op->evidence_ref = payment->provider_ref;
    return payment->provider_ref == NULL && op_has_other_key(op)
               ? payment_ref_of_version(tx->db, payment, &op->arena, &op->evidence_ref, err)
               : OK;
}

// The charge was never sent, nor can it be any more.
static enum errc fail_unsent(struct tx *tx, struct payment *payment, struct err *err)
{
    struct op_answer kept = {0};
    enum errc rc = payment_fail(tx, payment, &out_of_reach, err);
    return rc == OK ? reply_keep_payment(tx, payment, &kept, err) : rc;
}

static enum errc charge_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    const struct config *config = engine_options(op->engine)->config;
    int64_t window_us = config->charge_window_ms * US_PER_MS;
    int64_t age_us = tx->now_us - op->row.created_us;
    if (op->row.attempts == 1 && !op->row.unresolved && age_us == 0 && op->row.body != NULL) {
        plan_send(op); // the payment was written by this very transaction
        return OK;
    }
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &op->row.subject_id, NULL, &op->arena, &payment, err);
    if (rc == OK) {
        rc = find_evidence(op, tx, &payment, err);
    }
    bool saves_card = !uuid_is_nil(&payment.customer_id);
    bool unsent = saves_card && op->row.body == NULL && payment.provider_ref == NULL;
    *already_done = rc == OK && unsent && age_us >= window_us;
    if (*already_done) {
        return fail_unsent(tx, &payment, err);
    }
    if (rc == OK && unsent) {
        rc = charge_customer_plan(op, tx, &payment, err);
    }
    if (rc != OK) {
        return rc;
    }
    bool window_open = age_us >= 0 && age_us < window_us;
    if (op->row.lookup_only || payment.provider_ref != NULL || (!unsent && !window_open)) {
        plan_look_up(op, &payment, tx->now_us);
    } else if (!customer_is_being_made(op)) {
        plan_send(op);
    }
    if (age_us > config->patience_ms * US_PER_MS) {
        struct op_answer kept = {0}; // nobody waits any more: a repeat is answered with this from now on
        rc = reply_keep_payment(tx, &payment, &kept, err);
    }
    return rc;
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

// The provider's state is in the payment; what is not finished there is asked after from now on.
static enum errc take(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
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

// Refused for good. Where the refusal names a payment at the provider that may still come to something, that
// decides.
static enum errc refuse(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    const struct provider_answer *answer = &op->call.answer;
    if (!answer->has_payment) {
        bool named = !uuid_is_nil(&payment->saved_card_id) || !uuid_is_nil(&payment->customer_id);
        enum errc rc = answer->customer_missing && named ? charge_customer_missing(op, tx, payment, err) : OK;
        return rc == OK ? payment_fail(tx, payment, &answer->failure, err) : rc;
    }
    if (answer->payment.state != PROVIDER_PAYMENT_ATTEMPT_FAILED &&
        answer->payment.state != PROVIDER_PAYMENT_CANCELED) {
        return take(op, tx, payment, err);
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

static enum errc absent(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    if (tx->now_us < op->row.created_us) {
        op_retry(op); // the clock went back, so it was ahead when the charge was made, nobody knows how far
        op->call.answer.reason = "this machine's clock shows a time before the payment was made";
        return OK;
    }
    int64_t off_us = op->call.answer.server_time_us - tx->now_us;
    if (op->call.answer.server_time_us != 0 && (off_us > CLOCK_OFF_US || off_us < -CLOCK_OFF_US)) {
        op_retry(op); // the list was asked for by a time that one of the two clocks does not share
        op->call.answer.reason = "this machine's clock and the provider's differ by more than 5 minutes";
        return OK;
    }
    if (op->row.absent_us == 0) {
        op->row.absent_us = tx->now_us;
    } else if (tx->now_us - op->row.absent_us >= ABSENT_FOR_US) {
        return payment_fail(tx, payment, &out_of_reach, err);
    }
    op_at(op, op->row.absent_us + ABSENT_FOR_US);
    return OK;
}

static enum errc decide(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    const struct provider_answer *answer = &op->call.answer;
    switch (answer->outcome) {
    case PROVIDER_DONE:
        if (answer->has_payment) {
            return take(op, tx, payment, err);
        }
        return absent(op, tx, payment, err);
    case PROVIDER_REFUSED:
        if (op->call.verb == PROVIDER_CHARGE) {
            return refuse(op, tx, payment, err);
        }
        break; // a refused look-up says nothing about the charge
    case PROVIDER_NO_AUTH:
        if (op->call.verb == PROVIDER_CHARGE && !op->row.unresolved) {
            return payment_fail(tx, payment, &answer->failure, err);
        }
        break; // an earlier attempt may have been carried out
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
                                        : decide(op, tx, &payment, err);
    }
    bool patience_over =
        tx->now_us - op->row.created_us > engine_options(op->engine)->config->patience_ms * US_PER_MS;
    if (rc == OK && (op->verdict == VERDICT_CLOSE || patience_over)) {
        rc = reply_keep_payment(tx, &payment, &op->answer, err);
    }
    return rc;
}

static enum errc check_refused(struct tx *tx, const struct payment *payment, struct err *err)
{
    struct operation open = {0};
    struct credential present = {0};
    enum errc rc = operation_get(tx->db, &payment->id, op_charge.name, tx->arena, &open, err);
    if (rc == OK) {
        rc = credential_get(tx->db, &payment->merchant_id, payment->provider, payment->livemode, tx->arena,
                            &present, err);
    }
    bool ended = rc == OK && open.refused_attempt > 0 && open.refused_attempt == open.attempts &&
                 uuid_equal(&open.refused_version_id, &present.version_id);
    if (rc != OK && rc != ERR_NOT_FOUND) {
        return rc;
    }
    return ended ? OK
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

// The payment as it is, pending, is the first answer from now on; unless there was one before.
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

const struct op_kind op_charge = {.name = OPERATION_CHARGE,
                                  .keeps_version = true,
                                  .plan = charge_plan,
                                  .settle = charge_settle,
                                  .timeout_answer = charge_timeout_answer};
