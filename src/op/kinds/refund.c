// A refund. Its row reserves its amount before the provider is called, so concurrent refunds never sum to
// more than was captured. The provider keeps an idempotency key for at least 24 hours. Within 23 hours the
// refund is sent again with its key. After that it is looked for in the list of the payment's refunds, and it
// is sent anew only if it is not listed and the key is surely forgotten.
#include "op/kinds/refund.h"

#include "base/text.h"
#include "base/timefmt.h"
#include "op/kinds/kinds.h"
#include "op/kinds/step.h"
#include "op/state/refund_change.h"
#include "op/state/render.h"
#include "op/state/reply.h"
#include "store/payments.h"
#include "store/refunds.h"

#define KEY_FORGOTTEN_US (25 * 3600 * US_PER_S)
// A list is trusted for this long.
#define LOOK_HOLDS_US (600 * US_PER_S)

static enum errc get_payment(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    struct refund refund = {0};
    enum errc rc = refund_get(tx->db, &op->row.subject_id, NULL, &op->arena, &refund, err);
    return rc == OK ? payment_plan_get(tx->db, &refund.payment_id, &op->arena, payment, err) : rc;
}

// A lost answer may have been a refund. While the key holds, sending it again is safe; after that, only
// looking for it is.
static enum errc refund_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = op->row.unresolved ? get_payment(op, tx, &payment, err) : OK;
    (void)already_done;
    op->evidence_ref = payment.provider_ref;
    int64_t age_us = tx->now_us - op->row.created_us;
    bool key_holds = step_key_is_held(op, tx->now_us) && !op->row.lookup_only;
    bool surely_absent = op->row.absent_us != 0 && age_us >= KEY_FORGOTTEN_US &&
                         tx->now_us - op->row.absent_us < LOOK_HOLDS_US;
    if (key_holds || surely_absent) {
        op->call.send_before_us = key_holds ? op->row.created_us + STEP_KEY_HELD_US : 0;
        op->row.absent_us = 0; // the next attempt looks first
        op->call.verb = PROVIDER_REFUND;
        op->call.idempotency_key = step_key(&op->arena, "ref", &op->row.subject_id, NULL, 0);
        op->call.body = op->row.body;
        return rc;
    }
    rc = rc == OK ? get_payment(op, tx, &payment, err) : rc;
    op->call.verb = PROVIDER_REFUND_LIST;
    op->call.ref = payment.provider_ref;
    return rc;
}

enum errc refund_prepare(struct engine *engine, struct tx *tx, const struct payment *payment,
                         const struct refund *refund, struct op **op, struct err *err)
{
    const struct provider *provider = engine_options(engine)->provider;
    struct operation row = operation_on_refund(tx, OPERATION_REFUND, refund);
    row.body = provider->ops->refund_body(refund, payment->provider_ref, tx->arena);
    enum errc rc = refund_write_new(tx, payment, refund, err);
    return rc == OK ? op_prepare(engine, &op_refund, &row, tx, op, err) : rc;
}

// The listed refund that has our id in its metadata. NULL: none.
static const struct provider_refund *find_marked(const struct op *op)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&op->row.subject_id, id);
    for (size_t i = 0; i < op->refund_count; i++) {
        if (text_equal(op->refunds[i].refund_id, id)) {
            return &op->refunds[i];
        }
    }
    return NULL;
}

// A listed refund without metadata that has our amount and is no other row's. If it were ours, calling ours
// absent would refund twice.
static enum errc find_unmarked(const struct op *op, struct tx *tx, const struct refund *refund,
                               const struct provider_refund **reported, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &refund->payment_id, NULL, tx->arena, &payment, err);
    if (rc != OK) {
        return rc;
    }
    const struct provider_refund *uncaptured = refunds_find_uncaptured(op, &payment);
    int64_t amount = provider_find(payment.provider)->amount_to(refund->amount_minor, refund->currency);
    for (size_t i = 0; rc == OK && i < op->refund_count; i++) {
        const struct provider_refund *one = &op->refunds[i];
        struct refund other = {0};
        if (one == uncaptured || !one->unmarked || one->amount_provider_minor != amount) {
            continue;
        }
        rc = refund_by_ref(tx->db, &refund->merchant_id, refund->livemode, one->id, tx->arena, &other, err);
        if (rc == ERR_NOT_FOUND) {
            *reported = one;
            return OK;
        }
    }
    return rc;
}

static enum errc apply_reported(struct op *op, struct tx *tx, struct refund *refund,
                                const struct provider_refund *reported, struct err *err)
{
    struct err why = {0};
    enum errc rc = refund_apply_reported(tx, refund, op_provider(op), reported, &why);
    if (rc == ERR_CONFLICT) {
        op_retry(op);
        op->call.answer->reason = arena_strdup(&op->arena, why.message);
        return refund_get(tx->db, &op->row.subject_id, NULL, tx->arena, refund, err);
    }
    if (rc != OK) {
        *err = why;
    }
    return rc;
}

// The provider refuses the secret key of the payment, and nothing was sent with it. The merchant's present
// key may work.
static enum errc try_present_version(struct op *op, struct tx *tx, struct refund *refund, struct err *err)
{
    struct uuid refused = op->row.credential_version_id;
    enum errc rc = op_take_present_version(op, tx, err);
    if (rc == ERR_NOT_FOUND || (rc == OK && uuid_equal(&refused, &op->row.credential_version_id))) {
        return refund_fail(tx, refund, &op->call.answer->failure, err);
    }
    op->row.attempts = 0; // the next is the first with this key
    op_at(op, tx->now_us);
    return rc;
}

static enum errc decide(struct op *op, struct tx *tx, struct refund *refund, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    bool listed = op->call.verb == PROVIDER_REFUND_LIST;
    bool absent = false;
    if (answer->outcome == PROVIDER_DONE) {
        const struct provider_refund *reported = listed ? find_marked(op) : &answer->refund;
        enum errc rc = reported == NULL ? find_unmarked(op, tx, refund, &reported, err) : OK;
        if (rc != OK || reported != NULL) {
            return rc == OK ? apply_reported(op, tx, refund, reported, err) : rc;
        }
        op->row.absent_us = tx->now_us;
        absent = true;
    } else if (!listed && answer->outcome == PROVIDER_REFUSED) {
        return refund_fail(tx, refund, &answer->failure, err);
    } else if (!listed && answer->outcome == PROVIDER_NO_AUTH && !op->row.unresolved) {
        return try_present_version(op, tx, refund, err);
    } else if (answer->outcome == PROVIDER_LOOK_UP) {
        op->row.lookup_only = true;
    }
    op_retry(op);
    if (absent) { // it may be sent anew when its key is forgotten
        int64_t forgotten_us = op->row.created_us + KEY_FORGOTTEN_US;
        op->retry_by_us = forgotten_us > tx->now_us ? forgotten_us : tx->now_us;
    }
    return OK;
}

static enum errc keep_reply(struct tx *tx, const struct refund *refund, struct op_answer *answer,
                            struct err *err)
{
    struct json_writer json = render_success(tx->arena);
    render_refund(&json, refund);
    return reply_keep(tx, &refund->id, 201, &json, answer, err);
}

static enum errc refund_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct refund refund = {0};
    enum errc rc = refund_get(tx->db, &op->row.subject_id, NULL, tx->arena, &refund, err);
    if (rc == OK) {
        rc = decide(op, tx, &refund, err);
    }
    if (rc == OK && (op->verdict == VERDICT_CLOSE || step_patience_is_over(op, tx->now_us))) {
        rc = keep_reply(tx, &refund, &op->record->answer, err);
    }
    return rc;
}

// The refund as it is, pending, becomes the first answer, unless one is stored already.
static enum errc refund_timeout_answer(const struct uuid *subject_id, struct tx *tx, struct op_answer *answer,
                                       struct err *err)
{
    struct refund refund = {0};
    enum errc rc = refund_get(tx->db, subject_id, NULL, tx->arena, &refund, err);
    if (rc == OK) {
        rc = keep_reply(tx, &refund, answer, err);
    }
    return rc;
}

const struct op_kind op_refund = {
    .name = OPERATION_REFUND,
    .subject = SUBJECT_REFUND,
    .plan = refund_plan,
    .settle = refund_settle,
    .timeout_answer = refund_timeout_answer,
    .sent_again = true,
    .sent_anew_when_old = true,
};

// --- checking a refund that is pending at the provider

static enum errc sync_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct refund refund = {0};
    struct payment payment = {0};
    enum errc rc = refund_get(tx->db, &op->row.subject_id, NULL, &op->arena, &refund, err);
    *already_done = rc == OK && (refund.status != REFUND_PENDING || refund.provider_ref == NULL);
    if (rc == OK && op->row.unresolved) {
        rc = get_payment(op, tx, &payment, err);
    }
    op->call.verb = PROVIDER_REFUND_RETRIEVE;
    op->call.ref = refund.provider_ref;
    op->evidence_ref = payment.provider_ref;
    return rc;
}

static enum errc sync_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct refund refund = {0};
    enum errc rc = refund_get(tx->db, &op->row.subject_id, NULL, tx->arena, &refund, err);
    if (rc == OK && op->call.answer->has_refund) {
        rc = apply_reported(op, tx, &refund, &op->call.answer->refund, err);
    }
    if (rc == OK && refund.status == REFUND_PENDING) {
        op_poll(op);
    }
    return rc;
}

const struct op_kind op_refund_sync = {
    .name = OPERATION_REFUND_SYNC,
    .subject = SUBJECT_REFUND,
    .plan = sync_plan,
    .settle = sync_settle,
};
