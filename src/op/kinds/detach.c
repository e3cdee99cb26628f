// Detaches a deleted card, so that it can never be charged again at the provider either. It uses the
// merchant's present credentials, and goes on until the provider has detached the card or says that it is not
// attached. If the provider stored a fault under the key, the method is read, and detached anew if it is
// still attached.
#include "op/kinds/card.h"
#include "op/kinds/kinds.h"
#include "op/kinds/step.h"
#include "op/state/card_change.h"
#include "store/cards.h"
#include "store/credentials.h"

enum errc card_delete(struct tx *tx, struct card *card, int64_t charge_window_us, struct err *err)
{
    bool charged = false;
    enum card_status was = card->status;
    enum errc rc = card_end(tx, card, err);
    if (rc != OK || was == CARD_FAILED) {
        return rc;
    }
    if (was == CARD_PENDING) {
        return card_schedule(tx, card, OPERATION_CARD_SETUP, 0, err);
    }
    rc = card_is_being_charged(tx->db, card, &charged, err);
    return rc == OK ? card_schedule(tx, card, OPERATION_DETACH, charged ? charge_window_us : 0, err) : rc;
}

// Whether the method was saved again meanwhile: it belongs to that card now.
static enum errc is_saved_again(struct tx *tx, struct arena *arena, const struct card *card, bool *saved,
                                struct err *err)
{
    struct card other = {0};
    enum errc rc =
        card_by_ref(tx->db, &card->merchant_id, card->livemode, card->provider_ref, arena, &other, err);
    *saved = rc == OK && other.status == CARD_ACTIVE;
    return rc;
}

static enum errc detach_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct card card = {0};
    struct credential present = {0};
    enum errc rc = card_plan_get(tx->db, &op->row.subject_id, &op->arena, &card, err);
    if (rc == OK) {
        rc = is_saved_again(tx, &op->arena, &card, already_done, err);
    }
    if (rc == OK && !*already_done) {
        rc = credential_get(tx->db, &card.merchant_id, card.provider, card.livemode, &op->arena, &present,
                            err);
    }
    if (rc != OK || *already_done) {
        return rc;
    }
    op->row.credential_version_id = present.version_id;
    op->call.verb = PROVIDER_DETACH;
    op->call.ref = card.provider_ref;
    op->call.idempotency_key = step_key(&op->arena, "det", &card.id, NULL, op->row.resent_us);
    return OK;
}

// A refusal says that the method is not attached or does not exist, which is what was wanted.
static enum errc detach_settle(struct op *op, struct tx *tx, struct err *err)
{
    (void)err;
    enum provider_outcome outcome = op->call.answer->outcome;
    bool read = op->call.verb == PROVIDER_METHOD_RETRIEVE;
    if (read &&
        ((outcome == PROVIDER_DONE && !op->call.answer->method.detached) || outcome == PROVIDER_NO_AUTH)) {
        op_send_anew(op, tx);
    } else if (outcome != PROVIDER_DONE && outcome != PROVIDER_REFUSED) {
        op_retry(op);
    }
    return OK;
}

const struct op_kind op_detach = {
    .name = OPERATION_DETACH,
    .subject = SUBJECT_CARD,
    .plan = detach_plan,
    .settle = detach_settle,
};
