// A card that its payer sets up: the payer authenticates, so that the card can be charged later without them.
// The card is pending until then. Only the set-up itself, as it is read from the provider, decides, whatever
// events say and in whatever order they come. It is read when an event comes, and at growing distances. The
// set-up of a card that was deleted here, or that the payer abandoned, is canceled at the provider.
#include "base/text.h"
#include "base/timefmt.h"
#include "op/kinds/card.h"
#include "op/kinds/kinds.h"
#include "op/kinds/step.h"
#include "op/state/card_change.h"
#include "op/state/render.h"
#include "op/state/reply.h"
#include "store/cards.h"
#include "store/customers.h"

// A set-up that the payer has not finished after this long counts as abandoned.
#define SETUP_KEPT_US (7 * 24 * 3600 * US_PER_S)

static struct failure failure_of(const struct setup *setup)
{
    if (setup->state == SETUP_CANCELED) {
        return (struct failure){.code = "canceled",
                                .message = "The card's set-up was canceled before the payer authenticated."};
    }
    return setup->failure.code != NULL
               ? setup->failure
               : (struct failure){.code = "setup_failed", .message = "The card could not be set up."};
}

static enum errc activate(const struct op *op, struct tx *tx, struct card *card, const struct setup *setup,
                          bool read_again, struct card *saved, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    const struct provider_method *method = answer->has_method ? &answer->method : NULL;
    enum errc rc = card_activate(tx, card, setup->method_ref, method, read_again, saved, err);
    return rc == OK ? card_emit(tx, saved, "card.saved", err) : rc;
}

// Why the answer is not about this card, or cannot be used. NULL: it is.
static const char *mismatch(const struct card *card, const struct setup *setup)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&card->id, id);
    if ((setup->card_id != NULL && !text_equal(setup->card_id, id)) ||
        (card->setup_ref != NULL && !text_equal(setup->id, card->setup_ref))) {
        return "the set-up of another card";
    }
    return setup->state == SETUP_SUCCEEDED && setup->method_ref == NULL
               ? "a set-up without its payment method"
               : NULL;
}

enum errc card_setup_begun(struct op *op, struct tx *tx, struct card *card, const struct setup *setup,
                           struct err *err)
{
    struct card saved = {0};
    struct json_writer json = render_success(tx->arena);
    enum errc rc = OK;
    op->call.answer->reason = mismatch(card, setup);
    if (op->call.answer->reason != NULL) {
        op_retry(op);
        return OK;
    }
    card->setup_ref = setup->id;
    if (setup->state == SETUP_SUCCEEDED) {
        rc = activate(op, tx, card, setup, op->row.read_again, &saved, err);
    } else if (setup->state == SETUP_OPEN) {
        const struct provider_answer *answer = op->call.answer;
        rc = card_set_pending(tx, card, setup, answer->has_method ? &answer->method : NULL, err);
        saved = *card;
    } else {
        struct failure failure = failure_of(setup);
        rc = card_set_refused(tx, card, &failure, err);
        (void)card_refusal(card, &op->record->answer.refusal);
        return rc;
    }
    if (rc == OK) {
        rc = render_card(&json, &saved, &tx->keyring->master, RENDER_ANSWER, err);
    }
    return rc == OK ? reply_keep(tx, &card->id, 201, &json, &op->record->answer, err) : rc;
}

// Nothing is left to check or to cancel. A card that is gone and has a method is detached by its own
// operation, or it was saved as another card, which has the method.
static bool is_over(const struct card *card)
{
    bool canceling = card->status == CARD_GONE && card->provider_ref == NULL;
    return card->status != CARD_PENDING && !canceling;
}

static enum errc setup_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct card card = {0};
    enum errc rc = card_plan_get(tx->db, &op->row.subject_id, &op->arena, &card, err);
    *already_done = rc == OK && is_over(&card);
    if (rc == OK && !*already_done) {
        rc = op_take_present_version(op, tx, err);
    }
    if (rc != OK || *already_done) {
        return rc;
    }
    bool abandoned = card.status == CARD_GONE || tx->now_us - card.created_us > SETUP_KEPT_US;
    op->call.verb = abandoned && !op->row.read_next ? PROVIDER_SETUP_CANCEL : PROVIDER_SETUP_RETRIEVE;
    op->call.ref = card.setup_ref;
    // The provider keeps its answer under the key. After a refused cancellation another try needs another
    // key.
    op->call.idempotency_key = step_key(&op->arena, "cas", &card.id, NULL, op->row.resent_us);
    return OK;
}

static enum errc settle_succeeded(const struct op *op, struct tx *tx, struct card *card, struct err *err)
{
    static const struct failure failure = {
        .code = "detached",
        .message = "The card was detached at the provider before it was saved.",
    };
    const struct provider_answer *answer = op->call.answer;
    struct customer customer = {0};
    struct card saved = {0};
    enum errc rc = customer_get(tx->db, &card->customer_id, tx->arena, &customer, err);
    if (rc != OK) {
        return rc;
    }
    // After the payer authenticated, the customer may have been deleted or the method detached. No event ends
    // a pending card, since its method is not known yet.
    bool lost = customer.gone_us != 0 || (answer->has_method && answer->method.detached);
    return lost ? card_fail(tx, card, &failure, err)
                : activate(op, tx, card, &answer->setup, false, &saved, err);
}

static enum errc apply_reported(struct op *op, struct tx *tx, struct card *card, struct err *err)
{
    const struct setup *setup = &op->call.answer->setup;
    op->call.answer->reason = mismatch(card, setup);
    if (op->call.answer->reason != NULL || setup->state == SETUP_OPEN) {
        bool asks_payer = op->call.answer->reason == NULL && card->status == CARD_PENDING &&
                          card->next_action == NEXT_ACTION_NONE && setup->next_action != NEXT_ACTION_NONE;
        op->row.read_next = false;
        op_poll(op);
        return asks_payer ? card_set_next_action(tx, card, setup, err) : OK;
    }
    if (card->status == CARD_GONE) {
        return setup->state == SETUP_SUCCEEDED ? card_detach_late(tx, card, setup->method_ref, err) : OK;
    }
    if (setup->state == SETUP_SUCCEEDED) {
        return settle_succeeded(op, tx, card, err);
    }
    struct failure failure = failure_of(setup);
    return card_fail(tx, card, &failure, err);
}

// A cancellation is refused if the set-up ended meanwhile, so the set-up is read. A set-up that the
// merchant's present account does not know is of no use to the merchant.
static enum errc setup_settle(struct op *op, struct tx *tx, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    struct card card = {0};
    enum errc rc = card_get(tx->db, &op->row.subject_id, NULL, tx->arena, &card, err);
    if (rc != OK || is_over(&card)) {
        return rc;
    }
    if (answer->outcome == PROVIDER_DONE) {
        return apply_reported(op, tx, &card, err);
    }
    if (answer->outcome != PROVIDER_REFUSED) {
        op_poll(op);
        return OK;
    }
    if (op->call.verb == PROVIDER_SETUP_CANCEL) {
        op_send_anew(op, tx);
        op_at(op, tx->now_us);
        op->row.read_next = true;
        return OK;
    }
    return card.status == CARD_PENDING ? card_fail(tx, &card, &answer->failure, err) : OK;
}

const struct op_kind op_card_setup = {
    .name = OPERATION_CARD_SETUP,
    .subject = SUBJECT_CARD,
    .plan = setup_plan,
    .settle = setup_settle,
};
