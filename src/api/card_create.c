// POST /v1/payments/cards. Reading is pure and names every bad field; the work is one transaction: the
// idempotency key where there is one, the card that is there already, else its customer, the card and its
// operation.
#include <string.h>

#include "api/api.h"
#include "api/credential_choice.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/idempotency.h"
#include "base/text.h"
#include "op/kinds/card.h"
#include "op/kinds/kinds.h"
#include "op/state/render.h"
#include "op/state/reply.h"
#include "store/cards.h"

#define KIND "card"

struct card_input {
    const char *method;
    const char *email;
    const char *name;
    const char *return_url; // NULL: the payer is not there to authenticate
    uint8_t request_hash[32];
};

static void hash_request(struct request *request, struct card_input *input)
{
    struct json_object *fields JSON_CLEANUP = json_new_object();
    idempotency_field(fields, "payment_method_id", input->method);
    idempotency_field(fields, "customer_email", input->email);
    idempotency_field(fields, "customer_name", input->name);
    idempotency_field(fields, "return_url", input->return_url);
    idempotency_hash(request, fields, input->request_hash);
}

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
        problem_add(&request->problems, request->arena, ERR_VALIDATION, "payment_method_id", "must be a %s",
                    provider_default()->payment_method_form);
    }
    input->email = field_email(request, request->body, "customer_email");
    input->name = field_text(request, request->body, "", "customer_name", FIELD_OPTIONAL, 255);
    input->return_url = field_return_url(request, request->body, FIELD_OPTIONAL);
    query_only(request, (const char *const[]){NULL});
    if (request->problems.count == 0) {
        hash_request(request, input);
    }
}

// The card as it is now. One that the provider would not have is refused again.
static enum errc render_present(struct request *request, struct tx *tx, const struct uuid *id,
                                struct json_object **data, struct err *err)
{
    struct card card = {0};
    enum errc rc = card_get(tx->db, id, &request->principal.merchant_id, request->arena, &card, err);
    if (rc == OK) {
        rc = card_refusal(&card, err);
    }
    return rc == OK ? render_card(&card, &api_options(request->api)->keyring->master, RENDER_ANSWER,
                                  request->arena, data, err)
                    : rc;
}

// The request waits for the card that an earlier one is saving; where nothing came of that so far, the
// provider is asked again at once.
static enum errc wait_for_card(struct request *request, struct tx *tx, const struct uuid *card_id,
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
    return rc;
}

static enum errc find_repeat(struct request *request, struct tx *tx, const struct credential *credential,
                             bool configured, bool *repeated, struct err *err)
{
    const struct card_input *input = request->input;
    struct idempotency_key key = {0};
    *repeated = false;
    int first = configured ? credential->livemode : request->principal.livemode;
    int last = configured ? credential->livemode : 0;
    for (int live = first; request->idempotency_key != NULL && live >= last && !*repeated; live--) {
        enum errc rc = idempotency_find(tx->db, &request->principal.merchant_id, live == 1, KIND,
                                        request->idempotency_key, &key, repeated, err);
        if (rc != OK) {
            return rc;
        }
    }
    if (!*repeated) {
        return OK;
    }
    struct err why = {0};
    enum errc rc =
        idempotency_answer_repeat(request, tx, &key, input->request_hash, &op_card, render_present, &why);
    if (rc == ERR_IDEMPOTENCY_IN_PROGRESS) {
        return wait_for_card(request, tx, &key.subject_id, err);
    }
    return rc == OK ? OK : err_set(err, why.code, "%s", why.message);
}

static enum errc keep_key(struct request *request, struct tx *tx, bool livemode, const struct uuid *card_id,
                          const struct uuid *reply_id, struct err *err)
{
    const struct card_input *input = request->input;
    if (request->idempotency_key == NULL) {
        return OK;
    }
    struct idempotency_key key = {
        .merchant_id = request->principal.merchant_id,
        .livemode = livemode,
        .kind = KIND,
        .key = request->idempotency_key,
        .subject_id = *card_id,
        .reply_id = *reply_id,
        .created_us = request->now_us,
    };
    memcpy(key.request_hash, input->request_hash, sizeof(key.request_hash));
    return idempotency_insert(tx->db, &key, err);
}

// The card that this method is, or is becoming. What is becoming is answered as the request that saves it is;
// what is there may have changed since that one's answer, so this one's is kept apart.
static enum errc answer_known(struct request *request, struct tx *tx, const struct card *card,
                              struct err *err)
{
    struct uuid reply_id = {{0}};
    if (card->status == CARD_SAVING) {
        enum errc rc = keep_key(request, tx, card->livemode, &card->id, &reply_id, err);
        return rc == OK ? wait_for_card(request, tx, &card->id, err) : rc;
    }
    struct json_object *data = NULL;
    enum errc rc = render_card(card, &tx->keyring->master, RENDER_ANSWER, request->arena, &data, err);
    if (rc != OK) {
        return rc;
    }
    if (request->idempotency_key == NULL) {
        request_answer(request, 201, data);
        return OK;
    }
    struct op_answer answer = {0};
    reply_id = uuid_new(tx->random, tx->now_us);
    rc = keep_key(request, tx, card->livemode, &card->id, &reply_id, err);
    if (rc == OK) {
        rc = reply_keep(tx, &reply_id, 201, data, &answer, err);
    } else {
        json_object_put(data);
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
    static const struct uuid of_the_card = {{0}};
    enum errc rc = keep_key(request, tx, card.livemode, &card.id, &of_the_card, err);
    request->subject_id = card.id;
    request->wait_for = &op_card;
    return rc == OK ? card_prepare(api_options(request->api)->engine, tx, &card, &request->op, err) : rc;
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
        rc = find_repeat(request, tx, &credential, configured, &repeated, err);
    }
    if (rc != OK || repeated) {
        return rc;
    }
    if (!configured) {
        return credential_missing(provider_default(), err);
    }
    rc = card_by_method(tx->db, &credential.merchant_id, credential.livemode, input->method, input->email,
                        request->arena, &known, err);
    if (rc != ERR_NOT_FOUND) {
        return rc == OK ? answer_known(request, tx, &known, err) : rc;
    }
    if (!request->has_room) {
        return err_set(err, ERR_OVERLOADED,
                       "too many operations are in progress; nothing was recorded, try again");
    }
    return prepare(request, tx, &credential, err);
}
