// The card that a payment saves. Its row is written when the payment completes, which happens once. Then the
// payment is read with its method, which the provider has attached to the customer by itself. A method that
// is not attached (a wallet's, or one for a single use) cannot be charged again, so its card is gone; nobody
// waits for the card, so only the payment's history says so. If the customer already has this card, that card
// stays and gets the newer method, which was just set up for charges without the payer.
#include "base/config.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "op/kinds/card.h"
#include "op/kinds/kinds.h"
#include "op/state/card_change.h"
#include "store/cards.h"
#include "store/customers.h"
#include "store/payments.h"

static enum errc keep_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct card card = {0};
    enum errc rc = card_plan_get(tx->db, &op->row.subject_id, &op->arena, &card, err);
    *already_done = rc == OK && card.status != CARD_SAVING;
    if (rc == OK && !*already_done) {
        rc = op_take_present_version(op, tx, err);
    }
    op->call.verb = PROVIDER_PAID_METHOD;
    op->call.ref = card.setup_ref;
    return rc;
}

// Appends to the history of the payment that saves the card.
static enum errc append_note(struct tx *tx, const struct card *card, const char *what, struct err *err)
{
    struct payment payment = {0};
    enum errc rc =
        payment_by_ref(tx->db, &card->merchant_id, card->livemode, card->setup_ref, tx->arena, &payment, err);
    return rc == OK ? append_history(tx, &payment, what, err) : rc;
}

static enum errc save(const struct op *op, struct tx *tx, struct card *card, struct err *err)
{
    const struct provider_method *method = &op->call.answer->method;
    struct card saved = {0};
    enum errc rc = method->fingerprint != NULL
                       ? card_by_fingerprint(tx->db, &card->customer_id, method->fingerprint, method->id,
                                             tx->arena, &saved, err)
                       : ERR_NOT_FOUND;
    if (rc == OK && !text_equal(saved.provider_ref, method->id)) {
        // The method that the known card had is detached once no charge of it can be sent any more.
        bool charged = false;
        rc = card_is_being_charged(tx->db, &saved, &charged, err);
        int64_t window_us = engine_options(op->engine)->config->charge_window_ms * US_PER_MS;
        rc = rc == OK ? card_replace_method(tx, card, &saved, method, charged ? window_us : 0,
                                            op->row.read_again, err)
                      : rc;
    } else if (rc == OK || rc == ERR_NOT_FOUND) {
        rc = card_activate(tx, card, method->id, method, op->row.read_again, &saved, err);
    }
    if (rc == OK) {
        rc = card_emit(tx, &saved, "card.saved", err);
    }
    return rc == OK ? append_note(tx, card, "card saved", err) : rc;
}

// A refusal says that the merchant's present account does not know the payment, so its card is of no use to
// the merchant.
static enum errc keep_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct provider_answer *answer = op->call.answer;
    struct card card = {0};
    struct customer customer = {0};
    enum errc rc = card_get(tx->db, &op->row.subject_id, NULL, tx->arena, &card, err);
    if (rc == OK) {
        rc = customer_get(tx->db, &card.customer_id, tx->arena, &customer, err);
    }
    if (rc != OK || card.status != CARD_SAVING) {
        return rc;
    }
    bool read = answer->outcome == PROVIDER_DONE && text_equal(answer->payment.id, card.setup_ref);
    if (answer->outcome == PROVIDER_DONE && !read) {
        answer->reason = "a different payment than the requested one";
    }
    if (!read && answer->outcome != PROVIDER_REFUSED) {
        op_retry(op);
        return OK;
    }
    bool attached = read && answer->has_method && customer.gone_us == 0 && customer.provider_ref != NULL &&
                    text_equal(answer->method.customer_ref, customer.provider_ref);
    if (attached) {
        return save(op, tx, &card, err);
    }
    rc = card_end(tx, &card, err);
    return rc == OK ? append_note(tx, &card, "card not saved", err) : rc;
}

const struct op_kind op_card_keep = {
    .name = OPERATION_CARD_KEEP,
    .subject = SUBJECT_PAID_CARD,
    .plan = keep_plan,
    .settle = keep_settle,
};
