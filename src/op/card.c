// Saving a card: the customer is made at the provider, where that is still to be done, then the payment
// method is attached to it. Both are steps of one operation, each planned from the rows alone. Their keys
// name the customer and the card, so that saving side by side, again, or after a crash makes one customer and
// attaches once; no money moves, so a step may be sent again at any time. Where a fault was stored under its
// key, what came of it is read: it is taken over, or the step sent anew. Where the customer was deleted at
// the provider, another takes its place, and the step is made anew for that one.
#include "op/card.h"

#include "base/text.h"
#include "base/timefmt.h"
#include "domain/email.h"
#include "op/render.h"
#include "op/reply.h"
#include "store/cards.h"
#include "store/credentials.h"

// The provider's clock and ours may differ by this much when a list is asked for by time.
#define CLOCK_SLACK_S 600

static enum errc read_rows(struct db *db, const struct uuid *card_id, struct arena *arena, struct card *card,
                           struct customer *customer, struct err *err)
{
    enum errc rc = card_get(db, card_id, NULL, arena, card, err);
    return rc == OK ? customer_get(db, &card->customer_id, arena, customer, err) : rc;
}

// The customer of the card's e-mail, made where there is none; a card without one has a customer of its own.
static enum errc find_customer(struct engine *engine, struct db *db, struct change *change,
                               const struct card *card, const struct uuid *credential_version_id,
                               struct customer *customer, struct err *err)
{
    const struct provider *provider = engine_options(engine)->provider;
    const char *email = card->customer_email != NULL ? email_fold(change->arena, card->customer_email) : NULL;
    if (email != NULL) {
        enum errc rc =
            customer_by_email(db, &card->merchant_id, card->livemode, email, change->arena, customer, err);
        if (rc != ERR_NOT_FOUND) {
            return rc;
        }
    }
    *customer = (struct customer){
        .id = uuid_new(change->random, change->now_us),
        .merchant_id = card->merchant_id,
        .livemode = card->livemode,
        .email = email,
        .credential_version_id = *credential_version_id,
        .created_us = change->now_us,
    };
    customer->body =
        provider->ops->customer_body(customer, card->customer_email, card->customer_name, change->arena);
    return customer_insert(db, customer, err);
}

static enum errc replace_customer(struct op *op, struct db *db, struct change *change, struct card *card,
                                  struct customer *customer, struct err *err)
{
    enum errc rc = find_customer(op->engine, db, change, card, &op->row.credential_version_id, customer, err);
    card->customer_id = customer->id;
    card->updated_us = change->now_us;
    return rc == OK ? card_update(db, card, err) : rc;
}

static bool makes_customer(const struct op *op)
{
    return op->call.verb == PROVIDER_CUSTOMER || op->call.verb == PROVIDER_CUSTOMER_LIST;
}

// The key of a step, which names the customer that it is for, and from when an attach is sent anew.
static const char *step_key(const struct op *op, struct arena *arena, const struct card *card)
{
    char card_id[UUID_TEXT_BYTES];
    char customer_id[UUID_TEXT_BYTES];
    uuid_format(&card->id, card_id);
    uuid_format(&card->customer_id, customer_id);
    if (makes_customer(op)) {
        return arena_printf(arena, "cus_%s", customer_id);
    }
    return op->row.absent_us == 0
               ? arena_printf(arena, "att_%s_%s", card_id, customer_id)
               : arena_printf(arena, "att_%s_%s_%lld", card_id, customer_id, (long long)op->row.absent_us);
}

static void plan_step(struct op *op, const struct card *card, const struct customer *customer)
{
    const struct provider *provider = engine_options(op->engine)->provider;
    bool attach = customer->provider_ref != NULL;
    op->call.verb = attach ? PROVIDER_ATTACH : PROVIDER_CUSTOMER;
    op->call.ref = attach ? card->method_sent : card->customer_email;
    op->call.created_from_s = customer->created_us / US_PER_S - CLOCK_SLACK_S;
    op->call.idempotency_key = step_key(op, &op->arena, card);
    op->call.body = attach ? provider->ops->attach_body(customer->provider_ref, &op->arena)
                           : arena_strdup(&op->arena, customer->body);
}

static enum errc save_plan(struct op *op, struct db *db, struct change *change, bool *needless,
                           struct err *err)
{
    struct card card = {0};
    struct customer customer = {0};
    enum errc rc = read_rows(db, &op->row.subject_id, &op->arena, &card, &customer, err);
    *needless = rc == OK && card.status != CARD_SAVING;
    if (rc == OK && !*needless && customer.gone_us != 0) {
        rc = replace_customer(op, db, change, &card, &customer, err);
    }
    if (rc == OK && !*needless) {
        plan_step(op, &card, &customer);
    }
    return rc;
}

enum errc card_prepare(struct engine *engine, struct db *db, struct change *change, struct card *card,
                       struct op **op, struct err *err)
{
    struct customer customer = {0};
    struct operation row = {
        .subject_id = card->id,
        .kind = op_card.name,
        .merchant_id = card->merchant_id,
        .livemode = card->livemode,
        .credential_version_id = card->credential_version_id,
        .attempts = 1,
        .next_attempt_us = change->now_us + op_lease_us(engine),
        .created_us = change->now_us,
    };
    enum errc rc = find_customer(engine, db, change, card, &card->credential_version_id, &customer, err);
    card->customer_id = customer.id;
    if (rc == OK) {
        rc = card_insert(db, card, err);
    }
    return rc == OK ? op_prepare(engine, &op_card, &row, db, change, op, err) : rc;
}

enum errc card_refusal(const struct card *card, struct err *err)
{
    if (card->failure.code == NULL) {
        return OK;
    }
    bool no_auth = text_equal(card->failure.code, "provider_auth_failed");
    return err_set(err, no_auth ? ERR_PROVIDER_AUTH_FAILED : ERR_PROVIDER_REJECTED, "%s: %s",
                   card->failure.code, card->failure.message != NULL ? card->failure.message : "refused");
}

enum errc card_end(struct db *db, struct change *change, struct card *card, struct err *err)
{
    bool was_default = card->is_default;
    card->status = CARD_GONE;
    card->is_default = false;
    card->updated_us = change->now_us;
    enum errc rc = card_update(db, card, err);
    return rc == OK && was_default ? card_make_newest_default(db, &card->customer_id, change->now_us, err)
                                   : rc;
}

enum errc card_owe(struct db *db, struct change *change, const struct card *card, const char *kind,
                   int64_t delay_us, struct err *err)
{
    struct operation row = {
        .subject_id = card->id,
        .kind = kind,
        .merchant_id = card->merchant_id,
        .livemode = card->livemode,
        .credential_version_id = card->credential_version_id,
        .next_attempt_us = change->now_us + delay_us,
        .created_us = change->now_us,
    };
    change->owed = change->owed || delay_us == 0;
    return operation_insert(db, &row, err);
}

void card_take_method(struct card *card, const struct provider_method *method)
{
    card->brand = method->brand != NULL ? method->brand : card->brand;
    card->last4 = method->last4 != NULL ? method->last4 : card->last4;
    card->exp_month = method->exp_month != 0 ? method->exp_month : card->exp_month;
    card->exp_year = method->exp_year != 0 ? method->exp_year : card->exp_year;
}

// The next step follows at once, and as the first attempt of that.
static void go_on(struct op *op, struct change *change)
{
    op->open = true;
    op->row.attempts = 0;
    op->row.unresolved = false;
    op->row.absent_us = 0;
    op->row.next_attempt_us = change->now_us;
}

// At once the first time, then at growing distances.
void card_send_anew(struct op *op, struct change *change)
{
    bool first = op->row.absent_us == 0;
    op->row.absent_us = change->now_us;
    op_put_off(op, change);
    if (first) {
        op->row.next_attempt_us = change->now_us;
    }
}

// A method that is attached already (it was saved under another spelling of the e-mail) is the card that it
// was.
static enum errc attached(struct op *op, struct db *db, struct change *change, struct card *card,
                          struct err *err)
{
    const struct provider_method *method = &op->call.answer.method;
    struct card there = {0};
    bool has_default = false;
    enum errc rc = card_by_method(db, &card->merchant_id, card->livemode, method->id, card->customer_email,
                                  change->arena, &there, err);
    bool known = rc == OK && there.status == CARD_ACTIVE;
    if (rc == OK || rc == ERR_NOT_FOUND) {
        rc = card_has_default(db, &card->customer_id, &has_default, err);
    }
    if (rc != OK) {
        return rc;
    }
    card->status = known ? CARD_GONE : CARD_ACTIVE;
    card->provider_ref = method->id;
    card_take_method(card, method);
    card->is_default = !known && !has_default;
    rc = card_update(db, card, err);
    const struct card *saved = known ? &there : card;
    if (rc == OK && op->row.look_up) { // an event told of it meanwhile, and may be newer than this answer
        rc = card_owe(db, change, saved, op_card_sync.name, 0, err);
    }
    return rc == OK ? reply_keep(db, change, &card->id, 201, render_card(saved), &op->answer, err) : rc;
}

// A refusal of the secret key is one, whatever an earlier attempt did: attaching twice does no harm, so the
// card can be saved again once the key is right.
static enum errc refuse(struct op *op, struct db *db, struct card *card, const struct failure *failure,
                        struct err *err)
{
    card->status = CARD_GONE;
    card->failure = *failure;
    enum errc rc = card_update(db, card, err);
    if (rc == OK) {
        (void)card_refusal(card, &op->answer.refusal);
    }
    return rc;
}

enum errc card_customer_missing(struct db *db, struct change *change, const struct customer *customer,
                                const struct uuid *credential_version_id, bool *gone, struct err *err)
{
    struct credential present = {0};
    enum errc rc = credential_get(db, &customer->merchant_id, "stripe", customer->livemode, change->arena,
                                  &present, err);
    *gone = rc == OK && (uuid_equal(credential_version_id, &present.version_id) ||
                         uuid_equal(credential_version_id, &customer->credential_version_id));
    if (rc == OK && *gone) {
        rc = customer_set_gone(db, &customer->id, change->now_us, err);
    }
    return rc == OK && *gone ? cards_all_gone(db, &customer->id, change->now_us, err) : rc;
}

// The card goes on with another customer, but only where the missing one is older than the card: one that was
// made for it and is missing at once would be made for ever.
static enum errc without_customer(struct op *op, struct db *db, struct change *change, struct card *card,
                                  const struct customer *customer, struct err *err)
{
    bool gone = false;
    enum errc rc = card_customer_missing(db, change, customer, &op->row.credential_version_id, &gone, err);
    if (rc == OK && gone && customer->created_us < card->created_us) {
        go_on(op, change);
        return OK;
    }
    return rc == OK ? refuse(op, db, card, &op->call.answer.failure, err) : rc;
}

// The customer that it was attached to was deleted meanwhile, and every method of its with it, for good.
static enum errc attached_in_vain(struct op *op, struct db *db, struct card *card, struct err *err)
{
    static const struct failure failure = {
        .code = "customer_deleted",
        .message = "The customer was deleted at the provider while the card was being saved.",
    };
    return refuse(op, db, card, &failure, err);
}

// The provider's id of the customer, where the answer tells it.
static const char *customer_told(const struct op *op, const struct customer *customer)
{
    const struct provider_answer *answer = &op->call.answer;
    char id[UUID_TEXT_BYTES];
    uuid_format(&customer->id, id);
    if (answer->outcome != PROVIDER_DONE || op->call.verb == PROVIDER_CUSTOMER) {
        return answer->outcome == PROVIDER_DONE ? answer->customer_ref : NULL;
    }
    for (size_t i = 0; i < answer->customer_count; i++) {
        if (text_equal(answer->customers[i].customer_id, id)) {
            return answer->customers[i].id;
        }
    }
    return NULL;
}

// A fault was stored under the step's key. A customer that is not found is let go, and another one made: if
// the provider has it all the same, it has one that nobody uses. A method that is not this customer's is
// attached anew. A key that may not read does not keep a card from being saved.
static enum errc looked_up(struct op *op, struct db *db, struct change *change, struct card *card,
                           const struct customer *customer, struct err *err)
{
    const struct provider_answer *answer = &op->call.answer;
    if (answer->outcome == PROVIDER_UNKNOWN || answer->outcome == PROVIDER_LOOK_UP) {
        op_put_off(op, change);
        return OK;
    }
    if (op->call.verb == PROVIDER_METHOD_RETRIEVE && answer->outcome == PROVIDER_DONE &&
        customer->gone_us == 0 && text_equal(answer->method.customer_ref, customer->provider_ref)) {
        return attached(op, db, change, card, err);
    }
    card_send_anew(op, change);
    return op->call.verb == PROVIDER_CUSTOMER_LIST ? customer_set_gone(db, &customer->id, change->now_us, err)
                                                   : OK;
}

static enum errc save_settle(struct op *op, struct db *db, struct change *change, struct err *err)
{
    const struct provider_answer *answer = &op->call.answer;
    struct card card = {0};
    struct customer customer = {0};
    enum errc rc = read_rows(db, &op->row.subject_id, change->arena, &card, &customer, err);
    if (rc != OK) {
        return rc;
    }
    if (!text_equal(op->call.idempotency_key, step_key(op, change->arena, &card))) {
        go_on(op, change); // it got another customer meanwhile: this answer is about the one before
        return OK;
    }
    card.updated_us = change->now_us;
    const char *told = makes_customer(op) ? customer_told(op, &customer) : NULL;
    if (told != NULL && customer.provider_ref == NULL) {
        customer.provider_ref = told;
        rc = customer_set_ref(db, &customer.id, told, err);
    }
    if (makes_customer(op) && customer.provider_ref != NULL) {
        go_on(op, change); // another card's operation may have made it meanwhile
        return rc;
    }
    if (op->call.verb == PROVIDER_CUSTOMER_LIST || op->call.verb == PROVIDER_METHOD_RETRIEVE) {
        return looked_up(op, db, change, &card, &customer, err);
    }
    switch (answer->outcome) {
    case PROVIDER_DONE:
        return customer.gone_us != 0 ? attached_in_vain(op, db, &card, err)
                                     : attached(op, db, change, &card, err);
    case PROVIDER_REFUSED:
        if (op->call.verb == PROVIDER_ATTACH && answer->customer_missing) {
            return without_customer(op, db, change, &card, &customer, err);
        }
        return refuse(op, db, &card, &answer->failure, err);
    case PROVIDER_NO_AUTH:
        return refuse(op, db, &card, &answer->failure, err);
    case PROVIDER_UNKNOWN:
    case PROVIDER_LOOK_UP:
        break;
    }
    op_put_off(op, change);
    return OK;
}

// The operation goes on: the same request again waits for its outcome, or is answered with it.
static enum errc save_give_up(const struct uuid *subject_id, struct db *db, struct change *change,
                              struct op_answer *answer, struct err *err)
{
    struct card card = {0};
    enum errc rc = card_get(db, subject_id, NULL, change->arena, &card, err);
    if (rc == OK) {
        rc = reply_stored(db, change->keyring, subject_id, change->arena, answer, err);
    }
    if (rc == OK && answer->status == 0 && card_refusal(&card, &answer->refusal) == OK) {
        (void)err_set(&answer->refusal, ERR_PROVIDER_UNAVAILABLE,
                      "the provider has not answered yet whether the card is saved; ask again with the same "
                      "request");
    }
    return rc;
}

const struct op_kind op_card = {
    .name = "card", .plan = save_plan, .settle = save_settle, .give_up = save_give_up};
