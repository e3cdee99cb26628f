// Reads a saved card after an event reported it. Only what is read decides, whatever the event said and in
// whatever order events came. It is read with the merchant's present credentials.
#include "base/text.h"
#include "op/kinds/card.h"
#include "op/kinds/kinds.h"
#include "op/state/card_change.h"
#include "store/cards.h"

static enum errc sync_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct card card = {0};
    enum errc rc = card_plan_get(tx->db, &op->row.subject_id, &op->arena, &card, err);
    *already_done = rc == OK && card.status != CARD_ACTIVE;
    if (rc == OK && !*already_done) {
        rc = op_take_present_version(op, tx, err);
    }
    op->call.verb = PROVIDER_METHOD_RETRIEVE;
    op->call.ref = card.provider_ref;
    return rc;
}

// A refusal says nothing about the card: the present key may be another account's.
static enum errc sync_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct provider_answer *answer = op->call.answer;
    struct card card = {0};
    enum errc rc = card_get(tx->db, &op->row.subject_id, NULL, tx->arena, &card, err);
    if (rc != OK || card.status != CARD_ACTIVE || answer->outcome == PROVIDER_REFUSED) {
        return rc;
    }
    if (answer->outcome == PROVIDER_DONE && text_equal(answer->method.id, card.provider_ref)) {
        return answer->method.detached ? card_end(tx, &card, err)
                                       : card_apply_reported(tx, &card, &answer->method, err);
    }
    if (answer->outcome == PROVIDER_DONE) {
        answer->reason = "a different payment method than the requested one";
    }
    op_retry(op);
    return OK;
}

const struct op_kind op_card_sync = {
    .name = OPERATION_CARD_SYNC,
    .subject = SUBJECT_CARD,
    .plan = sync_plan,
    .settle = sync_settle,
};
