// POST /v1/payments. The body is read without the database, and every bad field is reported. The work is one
// transaction: the idempotency key, the checks that depend on state, then the payment and its operation.
#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "api/credential_choice.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/idempotency.h"
#include "base/require.h"
#include "base/text.h"
#include "op/kinds/catch_up.h"
#include "op/kinds/charge.h"
#include "op/kinds/charge_customer.h"
#include "op/kinds/kinds.h"
#include "op/state/render.h"
#include "store/cards.h"
#include "store/customers.h"
#include "store/payments.h"

#define METADATA_PAIRS_MAX 40
#define METADATA_NAME_MAX 40
#define METADATA_VALUE_MAX 500

struct payment_input {
    struct payment payment; // its fields as the request gives them
    bool has_saved_card;
    bool off_session;
    bool save_card;
};

static void read_money(struct request *request, struct payment *payment)
{
    const char *code = field_text(request, request->body, "", "currency", FIELD_REQUIRED, 16);
    const char *amount = field_amount_text(request, request->body, "amount", FIELD_REQUIRED);
    payment->currency = code != NULL ? currency_find(code) : NULL;
    if (code != NULL && payment->currency == NULL) {
        field_error(request, "currency", "must be a 3-letter ISO 4217 code that can be charged, such as USD");
    }
    if (amount == NULL) {
        return;
    }
    // Without a currency the form of the amount is still checked, with two decimals.
    const struct currency *currency = payment->currency != NULL ? payment->currency : currency_find("USD");
    struct err err;
    if (money_parse(amount, currency, &payment->amount_minor, &err) != OK) {
        field_error(request, "amount", err.message);
    } else if (payment->amount_minor == 0) {
        field_error(request, "amount", "must be greater than 0");
    }
}

static void read_method(struct request *request, struct payment_input *input)
{
    struct payment *payment = &input->payment;
    payment->payment_method = field_text(request, request->body, "", "payment_method", FIELD_OPTIONAL, 255);
    const char *card = field_text(request, request->body, "", "saved_card_id", FIELD_OPTIONAL, 64);
    bool method_given = json_read_member(request->body, "payment_method") != NULL;
    bool card_given = json_read_member(request->body, "saved_card_id") != NULL;
    input->off_session = field_bool(request, request->body, "off_session", card_given);
    const struct provider_ops *provider = body_provider(request);
    if (payment->payment_method != NULL && !provider->is_payment_method(payment->payment_method)) {
        field_error(request, "payment_method",
                    arena_printf(request->arena, "must be a %s", provider->payment_method_form));
    }
    if (card != NULL && !uuid_parse(card, &payment->saved_card_id)) {
        field_error(request, "saved_card_id", "must be a UUID");
    }
    if (method_given == card_given) {
        field_error(request, "payment_method", "exactly one of payment_method and saved_card_id is required");
    }
    if (input->off_session && !card_given) {
        field_error(request, "off_session", "may be true only with saved_card_id");
    }
    input->has_saved_card = card_given;
    input->save_card = field_bool(request, request->body, "save_card", false);
    if (input->save_card && card_given) {
        field_error(request, "save_card", "may be true only with payment_method");
    }
    if (input->save_card && json_read_member(request->body, "customer_email") == NULL) {
        field_error(request, "customer_email", "is required with save_card");
    }
}

static void check_pair(struct request *request, const struct json_value *pair)
{
    const char *name = pair->name;
    static const char *const reserved[] = {"payment_id", "merchant_id", "refund_id", "paymentsd_key",
                                           "paymentsd_hash"};
    const char *field = arena_printf(request->arena, "metadata.%s", field_shown(request->arena, name));
    size_t chars = field_chars(name);
    if (chars == 0 || chars > METADATA_NAME_MAX || strpbrk(name, "[]") != NULL) {
        field_error(request, field, "a name must be 1 to 40 characters long and must not contain [ or ]");
    }
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        if (text_equal(name, reserved[i])) {
            field_error(request, field, "this name is reserved");
        }
    }
    if (!json_is(pair, JSON_STRING)) {
        field_error(request, field, "must be a string");
    } else if (field_chars(pair->text) > METADATA_VALUE_MAX) {
        field_error(request, field, "must be at most 500 characters long");
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// With its names sorted, so that the order in the request does not matter.
static const char *sorted_metadata(struct request *request, const struct json_value *metadata)
{
    const char *names[METADATA_PAIRS_MAX];
    size_t count = 0;
    for (const struct json_value *each = json_first(metadata); each != NULL;
         each = json_next(metadata, each)) {
        names[count++] = each->name;
    }
    qsort(names, count, sizeof(names[0]), compare_names);
    struct json_writer sorted = json_writer(request->arena);
    json_open_object(&sorted, NULL);
    for (size_t i = 0; i < count; i++) {
        json_write_str(&sorted, names[i], json_read_str(metadata, names[i]));
    }
    return json_finish(&sorted);
}

static void read_metadata(struct request *request, struct payment *payment)
{
    const struct json_value *metadata = json_read_member(request->body, "metadata");
    if (metadata == NULL) {
        return;
    }
    if (!json_is(metadata, JSON_OBJECT)) {
        field_error(request, "metadata", "must be an object of strings");
        return;
    }
    if (metadata->count > METADATA_PAIRS_MAX) {
        field_error(request, "metadata", "must have at most 40 pairs");
        return;
    }
    for (const struct json_value *pair = json_first(metadata); pair != NULL;
         pair = json_next(metadata, pair)) {
        check_pair(request, pair);
    }
    if (request->field_errors.count == 0 && metadata->count > 0) {
        payment->metadata_json = sorted_metadata(request, metadata);
    }
}

static void read_about(struct request *request, struct payment *payment)
{
    const struct json_value *body = request->body;
    check_provider(request);
    payment->provider = body_provider(request)->name;
    payment->return_url = field_return_url(request, body, FIELD_OPTIONAL);
    payment->description = field_text(request, body, "", "description", FIELD_OPTIONAL, 1000);
    payment->customer_email = field_email(request, body, "customer_email");
    const char *capture = field_text(request, body, "", "capture_method", FIELD_DECIDES, 64);
    payment->capture_manual = text_equal(capture, "manual");
    if (capture != NULL && !payment->capture_manual && !text_equal(capture, "automatic")) {
        field_error(request, "capture_method", "must be \"automatic\" or \"manual\"");
    }
}

static void hash_request(struct request *request, const struct payment_input *input)
{
    const struct payment *payment = &input->payment;
    struct json_writer fields = json_writer(request->arena);
    json_open_object(&fields, NULL);
    json_write_i64(&fields, "amount_minor", payment->amount_minor);
    idempotency_field(&fields, "currency", payment->currency->code);
    idempotency_field(&fields, "provider", payment->provider);
    idempotency_field(&fields, "payment_method", payment->payment_method);
    idempotency_field(&fields, "return_url", payment->return_url);
    idempotency_field(&fields, "description", payment->description);
    idempotency_field(&fields, "metadata", payment->metadata_json);
    if (payment->capture_manual) {
        json_write_bool(&fields, "capture_manual", true);
    }
    idempotency_field(&fields, "customer_email", payment->customer_email);
    if (input->has_saved_card) {
        char card_id[UUID_TEXT_BYTES];
        uuid_format(&payment->saved_card_id, card_id);
        idempotency_field(&fields, "saved_card_id", card_id);
    }
    if (input->has_saved_card && !input->off_session) {
        json_write_bool(&fields, "off_session", false);
    }
    if (input->save_card) {
        json_write_bool(&fields, "save_card", true);
    }
    idempotency_hash(request, &fields);
}

void payment_create_read(struct request *request)
{
    static const char *const names[] = {
        "amount",         "currency",   "provider",    "payment_method", "saved_card_id",
        "off_session",    "return_url", "description", "metadata",       "capture_method",
        "customer_email", "save_card",  NULL};
    if (fields_refuse_card_data(request)) {
        return;
    }
    struct payment_input *input = ARENA_NEW(request->arena, struct payment_input);
    request->input = input;
    fields_only(request, request->body, "", names);
    read_money(request, &input->payment);
    read_method(request, input);
    read_about(request, &input->payment);
    read_metadata(request, &input->payment);
    query_only(request, (const char *const[]){NULL});
    if (request->idempotency_key == NULL) {
        request_refuse(request, ERR_IDEMPOTENCY_KEY_REQUIRED,
                       "the Idempotency-Key header is required, so that a retry cannot charge twice");
    } else if (request->field_errors.count == 0) {
        hash_request(request, input);
    }
}

static enum errc render_present(struct request *request, struct tx *tx, const struct uuid *id,
                                struct json_writer *json, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, id, &request->principal.merchant_id, request->arena, &payment, err);
    return rc == OK ? render_payment(json, &payment, &tx->keyring->master, RENDER_ANSWER, err) : rc;
}

static const struct idempotent_kind payment_kind = {
    .name = "payment", .op_kind = &op_charge, .render = render_present};

// The saved card to charge, by the provider's ids: an active card of this merchant and mode.
static enum errc find_saved_card(struct request *request, struct tx *tx, bool livemode,
                                 struct saved_method *saved, struct err *err)
{
    const struct payment_input *input = request->input;
    struct card card = {0};
    struct customer customer = {0};
    enum errc rc = card_get(tx->db, &input->payment.saved_card_id, &request->principal.merchant_id,
                            request->arena, &card, err);
    if (rc == OK && card.status == CARD_PENDING && card.livemode == livemode) {
        return err_set(err, ERR_CONFLICT, "the card is not saved yet: its payer must still authenticate");
    }
    if (rc == ERR_NOT_FOUND || (rc == OK && (card.status != CARD_ACTIVE || card.livemode != livemode))) {
        return err_set(err, ERR_NOT_FOUND, "there is no such saved card");
    }
    if (rc == OK) {
        rc = customer_get(tx->db, &card.customer_id, request->arena, &customer, err);
    }
    *saved = (struct saved_method){
        .customer_ref = customer.provider_ref,
        .method_ref = card.provider_ref,
        .off_session = input->off_session,
    };
    return rc;
}

static enum errc prepare(struct request *request, struct tx *tx, const struct credential *credential,
                         const struct saved_method *saved, struct err *err)
{
    const struct payment_input *input = request->input;
    struct payment payment = input->payment;
    payment.id = uuid_new(tx->random, tx->now_us);
    payment.merchant_id = request->principal.merchant_id;
    payment.livemode = credential->livemode;
    payment.status = PAYMENT_PENDING;
    payment.idempotency_key = request->idempotency_key;
    payment.request_hash = request->request_hash;
    payment.credential_version_id = credential->version_id;
    payment.created_us = tx->now_us;
    payment.updated_us = tx->now_us;
    enum errc rc = idempotency_begin(request, tx, &payment_kind, payment.livemode, &payment.id, err);
    if (rc == OK && input->save_card) {
        rc = charge_customer_choose(request->api->engine, tx, &payment, err);
    }
    return rc == OK ? charge_prepare(request->api->engine, tx, &payment, saved, &request->op, err) : rc;
}

enum errc payment_create_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct payment_input *input = request->input;
    struct credential credential = {0};
    struct saved_method saved = {0};
    bool configured = false;
    bool repeated = false;
    request->reply = NULL;
    enum errc rc =
        credential_choose(request, tx, provider_find(input->payment.provider), &credential, &configured, err);
    if (rc == OK) { // without credentials no mode is chosen, but a repeat is answered all the same
        rc = idempotency_answer_repeat(request, tx, &payment_kind, configured ? &credential.livemode : NULL,
                                       &repeated, err);
    }
    if (rc != OK || repeated) {
        return rc;
    }
    if (!configured) {
        return credential_missing(provider_find(input->payment.provider), err);
    }
    rc = catch_up_check(tx, &request->principal.merchant_id,
                        credential.livemode ? CATCH_UP_LIVE : CATCH_UP_TEST, err);
    if (rc == OK && input->has_saved_card) {
        rc = find_saved_card(request, tx, credential.livemode, &saved, err);
    }
    return rc == OK ? prepare(request, tx, &credential, input->has_saved_card ? &saved : NULL, err) : rc;
}

void payment_create_ahead(struct request *request, struct tx *tx)
{
    const struct payment_input *input = request->input;
    struct credential credential = {0};
    bool configured = false;
    bool repeated = false;
    struct err ignored;
    db_asked(credential_choose(request, tx, provider_find(input->payment.provider), &credential, &configured,
                               &ignored));
    db_asked(idempotency_answer_repeat(request, tx, &payment_kind, configured ? &credential.livemode : NULL,
                                       &repeated, &ignored));
    if (configured) {
        db_asked(catch_up_check(tx, &request->principal.merchant_id,
                                credential.livemode ? CATCH_UP_LIVE : CATCH_UP_TEST, &ignored));
    }
}
