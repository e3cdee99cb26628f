// Saving a card. First the customer is made at the provider, unless it is there already (customer.c). Then
// the payment method is attached to the customer, or, if the payer is there to authenticate, a set-up is made
// (card_setup.c). Both are steps of one operation, each planned from the rows alone. A step's key names the
// customer and the card. No money moves, so a step may be sent again at any time. If the provider stored a
// fault under the key, the result of the step is read: it is applied, or the step is sent anew. If the
// customer was deleted at the provider, another one replaces it, and the step is sent for that one.
#include "op/kinds/card.h"

#include "base/text.h"
#include "base/timefmt.h"
#include "op/kinds/customer.h"
#include "op/kinds/kinds.h"
#include "op/kinds/step.h"
#include "op/state/card_change.h"
#include "op/state/render.h"
#include "op/state/reply.h"
#include "store/cards.h"
#include "store/customers.h"

static enum errc read_rows(struct tx *tx, const struct uuid *card_id, struct arena *arena, struct card *card,
                           struct customer *customer, struct err *err)
{
    enum errc rc = card_get(tx->db, card_id, NULL, arena, card, err);
    return rc == OK ? customer_get(tx->db, &card->customer_id, arena, customer, err) : rc;
}

static struct customer_owner owner_of(const struct card *card, const struct uuid *credential_version_id)
{
    return (struct customer_owner){
        .merchant_id = card->merchant_id,
        .livemode = card->livemode,
        .email = card->customer_email,
        .name = card->customer_name,
        .credential_version_id = *credential_version_id,
    };
}

// The key of an attach or a set-up.
static const char *card_key(const struct op *op, struct arena *arena, const struct card *card)
{
    const char *step = card->return_url != NULL ? "set" : "att";
    return step_key(arena, step, &card->id, &card->customer_id, op->row.resent_us);
}

// The provider keeps a key for at least a day. After that, a set-up that may have been made with the key is
// looked for in the list of set-ups. Not before that: a request may still be on its way, and then another
// set-up would be made for the card.
static bool key_may_be_forgotten(const struct op *op, int64_t now_us)
{
    int64_t age_us = now_us - (op->row.resent_us == 0 ? op->row.created_us : op->row.resent_us);
    return op->row.unresolved && (age_us < 0 || age_us > STEP_KEY_HELD_US);
}

static void plan_step(struct op *op, const struct card *card, const struct customer *customer, int64_t now_us)
{
    const struct provider_ops *ops = op_provider(op);
    if (customer->provider_ref == NULL) {
        customer_plan(op, customer, card->customer_email);
        return;
    }
    op->call.idempotency_key = card_key(op, &op->arena, card);
    if (card->return_url == NULL) {
        op->call.verb = PROVIDER_ATTACH;
        op->call.ref = card->method_sent;
        op->call.body = ops->attach_body(customer->provider_ref, &op->arena);
    } else {
        op->call.verb = key_may_be_forgotten(op, now_us) ? PROVIDER_SETUP_LIST : PROVIDER_SETUP;
        op->call.ref = arena_strdup(&op->arena, customer->provider_ref); // read in the transaction's arena
        op->call.body = op->call.verb == PROVIDER_SETUP
                            ? ops->setup_body(card, customer->provider_ref, &op->arena)
                            : NULL;
    }
}

static enum errc save_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct card card = {0};
    struct customer customer = {0};
    enum errc rc = card_plan_get(tx->db, &op->row.subject_id, &op->arena, &card, err);
    if (rc == OK) {
        rc = customer_plan_get(tx->db, &card.customer_id, &op->arena, &customer, err);
    }
    if (rc == OK && customer.gone_us != 0) { // what follows writes the card
        rc = read_rows(tx, &op->row.subject_id, &op->arena, &card, &customer, err);
    }
    *already_done = rc == OK && card.status != CARD_SAVING;
    if (rc == OK && !*already_done && customer.gone_us != 0) {
        struct customer_owner owner = owner_of(&card, &op->row.credential_version_id);
        rc = customer_find(op->engine, tx, &owner, &customer, err);
        rc = rc == OK ? card_set_customer(tx, &card, &customer.id, err) : rc;
    }
    if (rc == OK && !*already_done) {
        plan_step(op, &card, &customer, tx->now_us);
    }
    return rc;
}

enum errc card_prepare(struct engine *engine, struct tx *tx, struct card *card, struct op **op,
                       struct err *err)
{
    struct customer customer = {0};
    struct operation row = operation_on_card(tx, OPERATION_CARD, card);
    struct customer_owner owner = owner_of(card, &card->credential_version_id);
    enum errc rc = customer_find(engine, tx, &owner, &customer, err);
    card->customer_id = customer.id;
    if (rc == OK) {
        rc = card_write_new(tx, card, err);
    }
    return rc == OK ? op_prepare(engine, &op_card, &row, tx, op, err) : rc;
}

// A method that is attached already was saved with another spelling of the e-mail.
static enum errc settle_attached(struct op *op, struct tx *tx, struct card *card, struct err *err)
{
    const struct provider_method *method = &op->call.answer->method;
    struct card saved = {0};
    struct json_writer json = render_success(tx->arena);
    enum errc rc = card_activate(tx, card, method->id, method, op->row.read_again, &saved, err);
    if (rc == OK) {
        rc = render_card(&json, &saved, &tx->keyring->master, RENDER_ANSWER, err);
    }
    return rc == OK ? reply_keep(tx, &card->id, 201, &json, &op->record->answer, err) : rc;
}

// A refused secret key refuses the card, whatever an earlier attempt did: attaching twice does no harm, so
// the card can be saved again with the right key.
static enum errc refuse(struct op *op, struct tx *tx, struct card *card, const struct failure *failure,
                        struct err *err)
{
    enum errc rc = card_set_refused(tx, card, failure, err);
    if (rc == OK) {
        (void)card_refusal(card, &op->record->answer.refusal);
    }
    return rc;
}

// The provider does not know the customer. The card goes on with another one, but only if the missing
// customer is older than the card: otherwise new customers could be made for ever.
static enum errc settle_customer_missing(struct op *op, struct tx *tx, struct card *card,
                                         const struct customer *customer, struct err *err)
{
    bool gone = false;
    enum errc rc = customer_missing(tx, customer, &op->row.credential_version_id, &gone, err);
    if (rc == OK && gone && customer->created_us < card->created_us) {
        op_next_step(op, tx);
        return OK;
    }
    return rc == OK ? refuse(op, tx, card, &op->call.answer->failure, err) : rc;
}

// The listed set-up that was made for this card. NULL: there is none.
static const struct setup *find_setup(const struct op *op, const struct card *card)
{
    const struct provider_answer *answer = op->call.answer;
    char id[UUID_TEXT_BYTES];
    uuid_format(&card->id, id);
    for (size_t i = 0; i < answer->setup_count; i++) {
        if (text_equal(answer->setups[i].card_id, id)) {
            return &answer->setups[i];
        }
    }
    return NULL;
}

// The provider stored a fault under the step's key, so the result of the step was read. If the method is not
// attached to this customer, or no set-up is listed, the step is sent anew, even if the secret key may not
// read.
static enum errc settle_looked_up(struct op *op, struct tx *tx, struct card *card,
                                  const struct customer *customer, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    if (answer->outcome == PROVIDER_UNKNOWN || answer->outcome == PROVIDER_LOOK_UP) {
        op_retry(op);
        return OK;
    }
    const struct setup *setup = find_setup(op, card);
    if (setup != NULL) {
        return card_setup_begun(op, tx, card, setup, err);
    }
    if (op->call.verb == PROVIDER_METHOD_RETRIEVE && answer->outcome == PROVIDER_DONE &&
        customer->gone_us == 0 && text_equal(answer->method.customer_ref, customer->provider_ref)) {
        return settle_attached(op, tx, card, err);
    }
    op_send_anew(op, tx);
    if (op->call.verb == PROVIDER_SETUP_LIST) {
        op->row.attempts = 0; // nothing was sent under the new key, so nothing is looked for
        op->row.unresolved = false;
    }
    return OK;
}

static enum errc settle_step(struct op *op, struct tx *tx, struct card *card, const struct customer *customer,
                             struct err *err)
{
    static const struct failure customer_deleted = {
        .code = "customer_deleted",
        .message = "The customer was deleted at the provider while the card was being saved.",
    };
    const struct provider_answer *answer = op->call.answer;
    if (op->call.verb == PROVIDER_SETUP_LIST || op->call.verb == PROVIDER_METHOD_RETRIEVE) {
        return settle_looked_up(op, tx, card, customer, err);
    }
    switch (answer->outcome) {
    case PROVIDER_DONE:
        if (customer->gone_us != 0) { // and every method that was attached to it was detached for good
            return refuse(op, tx, card, &customer_deleted, err);
        }
        return op->call.verb == PROVIDER_SETUP ? card_setup_begun(op, tx, card, &answer->setup, err)
                                               : settle_attached(op, tx, card, err);
    case PROVIDER_REFUSED:
        return answer->customer_missing ? settle_customer_missing(op, tx, card, customer, err)
                                        : refuse(op, tx, card, &answer->failure, err);
    case PROVIDER_NO_AUTH:
        return refuse(op, tx, card, &answer->failure, err);
    case PROVIDER_UNKNOWN:
    case PROVIDER_LOOK_UP:
        break;
    }
    op_retry(op);
    return OK;
}

static enum errc save_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct card card = {0};
    struct customer customer = {0};
    enum errc rc = read_rows(tx, &op->row.subject_id, tx->arena, &card, &customer, err);
    if (rc != OK) {
        return rc;
    }
    bool customer_step = customer_is_being_made(op);
    const char *key = customer_step ? customer_key(&customer, tx->arena) : card_key(op, tx->arena, &card);
    if (!text_equal(op->call.idempotency_key, key)) {
        op_next_step(op, tx); // the card has another customer by now: this answer is about the previous one
        return OK;
    }
    if (!customer_step) {
        return settle_step(op, tx, &card, &customer, err);
    }
    enum customer_step step = CUSTOMER_OPEN;
    rc = customer_settle(op, tx, &customer, &step, err);
    return rc == OK && step == CUSTOMER_REFUSED ? refuse(op, tx, &card, &op->call.answer->failure, err) : rc;
}

// The operation goes on. The same request, sent again, waits for its outcome or gets it.
static enum errc save_timeout_answer(const struct uuid *subject_id, struct tx *tx, struct op_answer *answer,
                                     struct err *err)
{
    struct card card = {0};
    enum errc rc = card_get(tx->db, subject_id, NULL, tx->arena, &card, err);
    if (rc == OK) {
        rc = reply_stored(tx, subject_id, answer, err);
    }
    if (rc == OK && answer->status == 0 && card_refusal(&card, &answer->refusal) == OK) {
        (void)err_set(&answer->refusal, ERR_PROVIDER_UNAVAILABLE,
                      "the provider has not yet said whether the card is saved; send the same request again");
    }
    return rc;
}

const struct op_kind op_card = {
    .name = OPERATION_CARD,
    .subject = SUBJECT_CARD,
    .plan = save_plan,
    .settle = save_settle,
    .timeout_answer = save_timeout_answer,
};
