// /v1/payments/cards: saving, reading, deleting cards, and choosing the default one. The body of a POST is
// read without the database, and every bad field is reported. The work is one transaction: the idempotency
// key if there is one; the card if it is saved already, else its customer, the card and its operation.
#include <string.h>

#include "api/api_private.h"
#include "api/credential_choice.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/idempotency.h"
#include "api/listing.h"
#include "base/timefmt.h"
#include "op/kinds/card.h"
#include "op/kinds/kinds.h"
#include "op/state/card_change.h"
#include "op/state/render.h"
#include "op/state/reply.h"
#include "store/cards.h"

struct card_input {
    const char *method;
    const char *email;
    const char *name;
    const char *return_url; // NULL: the payer is not present to authenticate
};

void card_create_read(struct request *request)
{
    static const char *const names[] = {"payment_method_id", "customer_email", "customer_name", "return_url",
                                        NULL};
    if (fields_refuse_card_data(request)) {
        return;
    }
    struct card_input *input = ARENA_NEW(request->arena, struct card_input);
    request->input = input;
    fields_only(request, request->body, "", names);
    input->method = field_text(request, request->body, "", "payment_method_id", FIELD_REQUIRED, 255);
    if (input->method != NULL && !provider_default()->is_payment_method(input->method)) {
        field_error(request, "payment_method_id",
                    arena_printf(request->arena, "must be a %s", provider_default()->payment_method_form));
    }
    input->email = field_email(request, request->body, "customer_email");
    input->name = field_text(request, request->body, "", "customer_name", FIELD_OPTIONAL, 255);
    input->return_url = field_return_url(request, request->body, FIELD_OPTIONAL);
    query_only(request, (const char *const[]){NULL});
    if (request->field_errors.count == 0) {
        struct json_writer fields = json_writer(request->arena);
        json_open_object(&fields, NULL);
        idempotency_field(&fields, "payment_method_id", input->method);
        idempotency_field(&fields, "customer_email", input->email);
        idempotency_field(&fields, "customer_name", input->name);
        idempotency_field(&fields, "return_url", input->return_url);
        idempotency_hash(request, &fields);
    }
}

// The card as it is now. One that the provider refused is refused again.
static enum errc render_present(struct request *request, struct tx *tx, const struct uuid *id,
                                struct json_writer *json, struct err *err)
{
    struct card card = {0};
    enum errc rc = card_get(tx->db, id, &request->principal.merchant_id, request->arena, &card, err);
    if (rc == OK) {
        rc = card_refusal(&card, err);
    }
    return rc == OK ? render_card(json, &card, &tx->keyring->master, RENDER_ANSWER, err) : rc;
}

// The request waits for the card that an earlier one is saving. If the outcome of that is not known so far,
// the provider is asked again at once.
static enum errc join_saving(struct request *request, struct tx *tx, const struct uuid *card_id,
                             struct err *err)
{
    struct operation open = {0};
    request->subject_id = *card_id;
    request->wait_for = &op_card;
    enum errc rc = operation_get(tx->db, card_id, op_card.name, request->arena, &open, err);
    if (rc == OK && open.unresolved && open.next_attempt_us > request->now_us) {
        open.next_attempt_us = request->now_us;
        tx->work_due = true;
        rc = operation_update(tx->db, &open, err);
    }
    return rc == ERR_NOT_FOUND ? OK : rc; // another node has closed it just now: its answer is found soon
}

static const struct idempotent_kind card_kind = {
    .name = "card", .op_kind = &op_card, .render = render_present, .join = join_saving};

// The payment method is saved already, or is being saved. If it is being saved, the request is answered as
// the one that saves it. If it is saved, the card may have changed since that answer, so this answer is
// stored under an id of its own.
static enum errc answer_known(struct request *request, struct tx *tx, const struct card *card,
                              struct err *err)
{
    if (card->status == CARD_SAVING) {
        enum errc rc = idempotency_record_key(request, tx, &card_kind, card->livemode, &card->id, NULL, err);
        return rc == OK ? join_saving(request, tx, &card->id, err) : rc;
    }
    struct json_writer json = render_success(request->arena);
    enum errc rc = render_card(&json, card, &tx->keyring->master, RENDER_ANSWER, err);
    if (rc != OK) {
        return rc;
    }
    if (request->idempotency_key == NULL) {
        request_answer(request, 201, &json);
        return OK;
    }
    struct op_answer answer = {0};
    struct uuid reply_id = uuid_new(tx->random, tx->now_us);
    rc = idempotency_record_key(request, tx, &card_kind, card->livemode, &card->id, &reply_id, err);
    if (rc == OK) {
        rc = reply_keep(tx, &reply_id, 201, &json, &answer, err);
    }
    request->status = answer.status;
    request->reply = answer.body;
    return rc;
}

static enum errc prepare(struct request *request, struct tx *tx, const struct credential *credential,
                         struct err *err)
{
    const struct card_input *input = request->input;
    struct card card = {
        .id = uuid_new(tx->random, tx->now_us),
        .merchant_id = credential->merchant_id,
        .livemode = credential->livemode,
        .status = CARD_SAVING,
        .provider = credential->provider,
        .method_sent = input->method,
        .customer_email = input->email,
        .customer_name = input->name,
        .return_url = input->return_url,
        .credential_version_id = credential->version_id,
        .created_us = tx->now_us,
        .updated_us = tx->now_us,
    };
    enum errc rc = idempotency_begin(request, tx, &card_kind, card.livemode, &card.id, err);
    return rc == OK ? card_prepare(request->api->engine, tx, &card, &request->op, err) : rc;
}

enum errc card_create_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct card_input *input = request->input;
    struct credential credential = {0};
    struct card known = {0};
    bool configured = false;
    bool repeated = false;
    request->reply = NULL;
    enum errc rc = credential_choose(request, tx, provider_default(), &credential, &configured, err);
    if (rc == OK) {
        rc = idempotency_answer_repeat(request, tx, &card_kind, configured ? &credential.livemode : NULL,
                                       &repeated, err);
    }
    if (rc != OK || repeated) {
        return rc;
    }
    if (!configured) {
        return credential_missing(provider_default(), err);
    }
    rc = card_by_method(tx->db, &credential.merchant_id, credential.livemode, input->method, input->email,
                        request->arena, &known, err);
    if (rc == ERR_NOT_FOUND) {
        return prepare(request, tx, &credential, err);
    }
    return rc == OK ? answer_known(request, tx, &known, err) : rc;
}

// --- one card

// A saved card of this merchant, in a mode that the key may see.
static enum errc find_card(struct request *request, struct tx *tx, struct card *card, struct err *err)
{
    struct uuid id;
    enum errc rc = uuid_parse(request->param, &id)
                       ? card_get(tx->db, &id, &request->principal.merchant_id, request->arena, card, err)
                       : ERR_NOT_FOUND;
    bool there = card->status == CARD_ACTIVE || card->status == CARD_PENDING || card->status == CARD_FAILED;
    bool hidden = rc == OK && (!there || (card->livemode && !request->principal.livemode));
    return rc == ERR_NOT_FOUND || hidden ? err_set(err, ERR_NOT_FOUND, "there is no such saved card") : rc;
}

static enum errc answer_card(struct request *request, struct tx *tx, const struct card *card, struct err *err)
{
    struct json_writer json = render_success(request->arena);
    enum errc rc = render_card(&json, card, &tx->keyring->master, RENDER_ANSWER, err);
    if (rc == OK) {
        request_answer(request, 200, &json);
    }
    return rc;
}

enum errc card_get_work(struct request *request, struct tx *tx, struct err *err)
{
    struct card card = {0};
    enum errc rc = find_card(request, tx, &card, err);
    return rc == OK ? answer_card(request, tx, &card, err) : rc;
}

enum errc card_delete_work(struct request *request, struct tx *tx, struct err *err)
{
    struct card card = {0};
    enum errc rc = find_card(request, tx, &card, err);
    if (rc == OK) {
        int64_t charge_window_us = request->api->config->charge_window_ms * US_PER_MS;
        rc = card_delete(tx, &card, charge_window_us, err);
    }
    request->status = 200;
    request->reply = "{\"success\":true}";
    return rc;
}

enum errc card_default_work(struct request *request, struct tx *tx, struct err *err)
{
    struct card card = {0};
    enum errc rc = find_card(request, tx, &card, err);
    if (rc == OK && card.status != CARD_ACTIVE) {
        return err_set(err, ERR_CONFLICT, "the card is not active: its status is %s",
                       card_status_name(card.status));
    }
    if (rc == OK) {
        rc = card_set_default(tx, &card, err);
    }
    return rc == OK ? answer_card(request, tx, &card, err) : rc;
}

// --- the list

void card_list_read(struct request *request)
{
    listing_read(request, &card_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    struct card card = {0};
    enum errc rc = card_read(rows, NULL, &card, err);
    return rc == OK ? render_card(json, &card, &request->api->keyring->master, RENDER_LIST, err) : rc;
}

enum errc card_list_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, &request->principal.merchant_id, render_row, err);
}
