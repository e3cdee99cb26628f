// Stripe's objects in neutral terms: untrusted JSON in, text copied into the arena out. Pure; any thread.
// https://docs.stripe.com/api/payment_intents/object, /refunds/object, /payment_methods/object,
// /setup_intents/object
#include "provider/stripe/object.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/require.h"
#include "base/text.h"

#define MARK_KEY_BYTES_MAX 255 // as api/request.c takes an Idempotency-Key
#define METADATA_PAIRS_MAX 50  // https://docs.stripe.com/metadata

static const char *object_id(const struct json_value *object)
{
    const char *id = json_read_str(object, "id");
    return id != NULL && id[0] != '\0' && strlen(id) <= 255 ? id : NULL;
}

// An id, or the object itself where it was expanded.
static const char *id_or_object(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_read_member(object, name);
    return json_is(value, JSON_OBJECT) ? json_read_str(value, "id") : json_read_str(object, name);
}

static const char *copy(struct arena *arena, const char *text)
{
    return arena_strdup(arena, text);
}

// What an answer's text is kept of at most.
#define WORD_BYTES_MAX 100
#define MESSAGE_BYTES_MAX 500

// Stripe masks keys in what it writes; a stand-in or a proxy might not. NULL for text that may hold a secret.
static const char *harmless(struct arena *arena, const char *text, size_t bytes_max)
{
    static const char *const marks[] = {"sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_", "_secret_"};
    for (size_t i = 0; text != NULL && i < COUNT_OF(marks); i++) {
        if (strstr(text, marks[i]) != NULL) {
            return NULL;
        }
    }
    return text != NULL ? arena_strndup(arena, text, text_cut(text, strlen(text), bytes_max)) : NULL;
}

static enum provider_payment_state intent_state(const char *status, bool attempted)
{
    if (text_equal(status, "succeeded")) {
        return PROVIDER_PAYMENT_SUCCEEDED;
    }
    if (text_equal(status, "requires_capture")) {
        return PROVIDER_PAYMENT_CAPTURABLE;
    }
    if (text_equal(status, "processing")) {
        return PROVIDER_PAYMENT_PROCESSING;
    }
    if (text_equal(status, "canceled")) {
        return PROVIDER_PAYMENT_CANCELED;
    }
    if (text_equal(status, "requires_payment_method") && attempted) {
        return PROVIDER_PAYMENT_ATTEMPT_FAILED;
    }
    return PROVIDER_PAYMENT_OPEN;
}

// All NULL where there is no error. Of a type that is not known it is a fault of the provider's.
struct failure stripe_failure_read(const struct json_value *error, struct arena *arena)
{
    if (!json_is(error, JSON_OBJECT)) {
        return (struct failure){0};
    }
    const char *code = harmless(arena, json_read_str(error, "code"), WORD_BYTES_MAX);
    const char *type = harmless(arena, json_read_str(error, "type"), WORD_BYTES_MAX);
    const char *message = harmless(arena, json_read_str(error, "message"), MESSAGE_BYTES_MAX);
    const char *named = code != NULL ? code : type;
    return (struct failure){
        .code = named != NULL ? named : "api_error",
        .decline_code = harmless(arena, json_read_str(error, "decline_code"), WORD_BYTES_MAX),
        .message = message != NULL ? message : "The provider refused the request.",
    };
}

static enum next_action_type next_action(const struct json_value *object, struct arena *arena,
                                         const char **redirect_url)
{
    const struct json_value *action = json_read_member(object, "next_action");
    *redirect_url = copy(arena, json_read_str(json_read_member(action, "redirect_to_url"), "url"));
    if (*redirect_url != NULL) {
        return NEXT_ACTION_REDIRECT;
    }
    return action != NULL ? NEXT_ACTION_SDK : NEXT_ACTION_NONE;
}

bool stripe_intent_read(const struct json_value *object, struct arena *arena, struct provider_payment *intent)
{
    const char *id = object_id(object);
    const char *status = json_read_str(object, "status");
    if (id == NULL || status == NULL) {
        return false;
    }
    const struct json_value *error = json_read_member(object, "last_payment_error");
    const struct json_value *metadata = json_read_member(object, "metadata");
    *intent = (struct provider_payment){
        .id = copy(arena, id),
        .state = intent_state(status, error != NULL),
        .amount_provider_minor = json_read_i64(object, "amount", -1),
        .received_provider_minor = json_read_i64(object, "amount_received", -1),
        .currency = copy(arena, json_read_str(object, "currency")),
        .client_secret = copy(arena, json_read_str(object, "client_secret")),
        .payment_id = copy(arena, json_read_str(metadata, "payment_id")),
        .merchant_id = copy(arena, json_read_str(metadata, "merchant_id")),
        .method_ref = copy(arena, id_or_object(object, "payment_method")),
        .created_s = json_read_i64(object, "created", 0),
        .failure = stripe_failure_read(error, arena),
    };
    intent->next_action = next_action(object, arena, &intent->redirect_url);
    return true;
}

struct request_mark stripe_mark_read(const struct json_value *metadata, struct arena *arena)
{
    const char *key = json_read_str(metadata, STRIPE_MARK_KEY);
    const char *hash = json_read_str(metadata, STRIPE_MARK_HASH);
    struct request_mark mark = {0};
    bool whole = key != NULL && key[0] != '\0' && strlen(key) <= MARK_KEY_BYTES_MAX && hash != NULL &&
                 text_hex_decode(hash, strlen(hash), mark.hash, sizeof(mark.hash));
    mark.key = whole ? copy(arena, key) : NULL;
    return mark;
}

static bool is_ours(const char *name)
{
    return text_equal(name, "payment_id") || text_equal(name, "merchant_id") ||
           text_equal(name, STRIPE_MARK_KEY) || text_equal(name, STRIPE_MARK_HASH);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The merchant's part of the metadata, its names sorted; NULL where there is none.
static const char *merchants_metadata(const struct json_value *metadata, struct arena *arena)
{
    const char *names[METADATA_PAIRS_MAX];
    size_t count = 0;
    if (!json_is(metadata, JSON_OBJECT)) {
        return NULL;
    }
    for (const struct json_value *each = json_first(metadata); each != NULL;
         each = json_next(metadata, each)) {
        if (count < COUNT_OF(names) && !is_ours(each->name) && json_is(each, JSON_STRING)) {
            names[count++] = each->name;
        }
    }
    if (count == 0) {
        return NULL;
    }
    qsort(names, count, sizeof(names[0]), compare_names);
    struct json_writer own = json_writer(arena);
    json_open_object(&own, NULL);
    for (size_t i = 0; i < count; i++) {
        json_write_str(&own, names[i], json_read_str(metadata, names[i]));
    }
    return json_finish(&own);
}

void stripe_origin_read(const struct json_value *object, struct arena *arena, struct payment_origin *origin)
{
    const struct json_value *metadata = json_read_member(object, "metadata");
    *origin = (struct payment_origin){
        .mark = stripe_mark_read(metadata, arena),
        .payment_method = copy(arena, id_or_object(object, "payment_method")),
        .description = copy(arena, json_read_str(object, "description")),
        .metadata_json = merchants_metadata(metadata, arena),
        .customer_email = copy(arena, json_read_str(object, "receipt_email")),
        .capture_manual = text_equal(json_read_str(object, "capture_method"), "manual"),
    };
}

static enum refund_status refund_status(const char *status)
{
    if (text_equal(status, "succeeded")) {
        return REFUND_COMPLETED;
    }
    return text_equal(status, "failed") || text_equal(status, "canceled") ? REFUND_FAILED : REFUND_PENDING;
}

bool stripe_refund_read(const struct json_value *object, struct arena *arena, struct provider_refund *refund)
{
    const char *id = object_id(object);
    if (id == NULL) {
        return false;
    }
    const char *reason = json_read_str(object, "reason");
    const struct json_value *metadata = json_read_member(object, "metadata");
    *refund = (struct provider_refund){
        .id = arena_strdup(arena, id),
        .status = refund_status(json_read_str(object, "status")),
        .amount_provider_minor = json_read_i64(object, "amount", -1),
        .currency = arena_strdup(arena, json_read_str(object, "currency")),
        .payment_ref = arena_strdup(arena, id_or_object(object, "payment_intent")),
        .charge_id = arena_strdup(arena, id_or_object(object, "charge")),
        .refund_id = arena_strdup(arena, json_read_str(metadata, "refund_id")),
        .payment_id = arena_strdup(arena, json_read_str(metadata, "payment_id")),
        .mark = stripe_mark_read(metadata, arena),
        .unmarked = !json_is(metadata, JSON_OBJECT),
        .reason = refund_reason_known(reason) ? arena_strdup(arena, reason) : NULL,
        .failure_reason = harmless(arena, json_read_str(object, "failure_reason"), WORD_BYTES_MAX),
    };
    return true;
}

// 0 for what is not from 1 to max: not said.
static int number_up_to(const struct json_value *object, const char *name, int max)
{
    int64_t number = json_read_i64(object, name, 0);
    return number >= 1 && number <= max ? (int)number : 0;
}

bool stripe_method_read(const struct json_value *object, struct arena *arena, struct provider_method *method)
{
    const char *id = object_id(object);
    if (id == NULL) {
        return false;
    }
    const struct json_value *card = json_read_member(object, "card");
    *method = (struct provider_method){
        .id = arena_strdup(arena, id),
        .brand = harmless(arena, json_read_str(card, "brand"), WORD_BYTES_MAX),
        .last4 = harmless(arena, json_read_str(card, "last4"), WORD_BYTES_MAX),
        .exp_month = number_up_to(card, "exp_month", 12),
        .exp_year = number_up_to(card, "exp_year", 9999),
        .fingerprint = harmless(arena, json_read_str(card, "fingerprint"), WORD_BYTES_MAX),
        .customer_ref = copy(arena, id_or_object(object, "customer")),
        .detached = json_is(json_find(object, "customer"), JSON_NULL),
    };
    return true;
}

bool stripe_told_method_read(const struct json_value *object, struct arena *arena,
                             struct provider_method *method)
{
    const struct json_value *told = json_read_member(object, "payment_method");
    return json_is(told, JSON_OBJECT) && stripe_method_read(told, arena, method);
}

bool stripe_customer_read(const struct json_value *object, struct arena *arena,
                          struct provider_customer *customer)
{
    const char *id = object_id(object);
    if (id == NULL) {
        return false;
    }
    *customer = (struct provider_customer){
        .id = copy(arena, id),
        .customer_id = copy(arena, json_read_str(json_read_member(object, "metadata"), "customer_id")),
    };
    return true;
}

static enum setup_state setup_state(const char *status, bool attempted)
{
    if (text_equal(status, "succeeded")) {
        return SETUP_SUCCEEDED;
    }
    if (text_equal(status, "canceled")) {
        return SETUP_CANCELED;
    }
    return text_equal(status, "requires_payment_method") && attempted ? SETUP_FAILED : SETUP_OPEN;
}

bool stripe_setup_read(const struct json_value *object, struct arena *arena, struct setup *setup,
                       struct provider_method *method, bool *has_method)
{
    const char *id = object_id(object);
    const char *status = json_read_str(object, "status");
    if (id == NULL || status == NULL) {
        return false;
    }
    const struct json_value *error = json_read_member(object, "last_setup_error");
    *setup = (struct setup){
        .id = copy(arena, id),
        .state = setup_state(status, error != NULL),
        .failure = stripe_failure_read(error, arena),
        .client_secret = copy(arena, json_read_str(object, "client_secret")),
        .method_ref = copy(arena, id_or_object(object, "payment_method")),
        .card_id = copy(arena, json_read_str(json_read_member(object, "metadata"), "card_id")),
    };
    setup->next_action = next_action(object, arena, &setup->redirect_url);
    *has_method = stripe_told_method_read(object, arena, method);
    return true;
}
