// What an answer of Stripe's means. The rule that everything else rests on: only what is definitely refused
// is refused; a cut, unparsable or surprising answer leaves the outcome unknown. Sources:
// https://docs.stripe.com/api/errors, https://docs.stripe.com/api/idempotent_requests, and the retry decision
// of Stripe's own SDKs.
#include "provider/stripe_answer.h"

#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"

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

static enum intent_state intent_state(const char *status, bool attempted)
{
    if (text_equal(status, "succeeded")) {
        return INTENT_SUCCEEDED;
    }
    if (text_equal(status, "requires_capture")) {
        return INTENT_CAPTURABLE;
    }
    if (text_equal(status, "canceled")) {
        return INTENT_CANCELED;
    }
    if (text_equal(status, "requires_payment_method") && attempted) {
        return INTENT_ATTEMPT_FAILED;
    }
    return INTENT_OPEN;
}

// All NULL where there is no error. Of a type that is not known it is a fault of the provider's.
static struct failure failure_read(struct json_object *error, struct arena *arena)
{
    if (!json_object_is_type(error, json_type_object)) {
        return (struct failure){0};
    }
    const char *code = harmless(arena, json_get_str(error, "code"), WORD_BYTES_MAX);
    const char *type = harmless(arena, json_get_str(error, "type"), WORD_BYTES_MAX);
    const char *message = harmless(arena, json_get_str(error, "message"), MESSAGE_BYTES_MAX);
    const char *named = code != NULL ? code : type;
    return (struct failure){
        .code = named != NULL ? named : "api_error",
        .decline_code = harmless(arena, json_get_str(error, "decline_code"), WORD_BYTES_MAX),
        .message = message != NULL ? message : "The provider refused the request.",
    };
}

bool stripe_intent_read(struct json_object *object, struct arena *arena, struct intent *intent)
{
    const char *id = json_get_str(object, "id");
    const char *status = json_get_str(object, "status");
    if (id == NULL || id[0] == '\0' || strlen(id) > 255 || status == NULL) {
        return false;
    }
    struct json_object *error = json_get(object, "last_payment_error");
    struct json_object *action = json_get(object, "next_action");
    struct json_object *metadata = json_get(object, "metadata");
    *intent = (struct intent){
        .id = copy(arena, id),
        .state = intent_state(status, error != NULL),
        .amount_provider_minor = json_get_i64(object, "amount", -1),
        .received_provider_minor = json_get_i64(object, "amount_received", -1),
        .currency = copy(arena, json_get_str(object, "currency")),
        .client_secret = copy(arena, json_get_str(object, "client_secret")),
        .payment_id = copy(arena, json_get_str(metadata, "payment_id")),
        .merchant_id = copy(arena, json_get_str(metadata, "merchant_id")),
        .failure = failure_read(error, arena),
    };
    const char *redirect = json_get_str(json_get(action, "redirect_to_url"), "url");
    if (redirect != NULL) {
        intent->next_action = NEXT_ACTION_REDIRECT;
        intent->redirect_url = copy(arena, redirect);
    } else if (action != NULL) {
        intent->next_action = NEXT_ACTION_SDK;
    }
    return true;
}

static void read_list(struct provider_call *call, struct json_object *body)
{
    struct provider_answer *answer = &call->answer;
    struct json_object *data = json_get(body, "data");
    struct json_object *more = json_get(body, "has_more");
    if (!json_object_is_type(data, json_type_array) || !json_object_is_type(more, json_type_boolean)) {
        answer->trouble = "a list without data, or that does not say whether there is more";
        return;
    }
    size_t length = json_object_array_length(data);
    if (length == 0 && json_object_get_boolean(more)) {
        answer->trouble = "an empty page of a list that goes on";
        return;
    }
    answer->intents = arena_alloc(call->arena, (length + 1) * sizeof(struct intent));
    for (size_t i = 0; i < length; i++) {
        if (!stripe_intent_read(json_object_array_get_idx(data, i), call->arena, &answer->intents[i])) {
            answer->trouble = "a list with something unreadable in it";
            return;
        }
        answer->intent_count++;
    }
    answer->next_page = json_object_get_boolean(more) ? answer->intents[length - 1].id : NULL;
    answer->outcome = PROVIDER_DONE;
}

static void read_success(struct provider_call *call, struct json_object *body)
{
    if (call->verb == PROVIDER_LIST) {
        read_list(call, body);
    } else if (stripe_intent_read(body, call->arena, &call->answer.intent)) {
        call->answer.has_intent = true;
        call->answer.outcome = PROVIDER_DONE;
    } else {
        call->answer.trouble = "a success without the object";
    }
}

// A refusal that says itself what was refused.
static void read_refusal(struct provider_call *call, struct json_object *error)
{
    struct provider_answer *answer = &call->answer;
    answer->failure = failure_read(error, call->arena);
    answer->has_intent = stripe_intent_read(json_get(error, "payment_intent"), call->arena, &answer->intent);
    answer->trouble = NULL;
    answer->outcome = PROVIDER_REFUSED;
}

static void read_error(struct provider_call *call, struct json_object *body)
{
    struct provider_answer *answer = &call->answer;
    struct json_object *error = json_get(body, "error");
    const char *type = json_get_str(error, "type");
    if (type == NULL) {
        answer->trouble = "an error that is not in Stripe's form";
        return;
    }
    if (text_equal(type, "idempotency_error")) {
        answer->trouble = "another request came before under this idempotency key";
        answer->outcome = PROVIDER_LOOK_UP;
        return;
    }
    switch (answer->status) {
    case 400:
    case 402:
    case 404:
        read_refusal(call, error);
        break;
    case 401:
    case 403:
        answer->failure = (struct failure){
            .code = "provider_auth_failed",
            .message = "The provider refused the secret key: it is unknown, expired or lacks a permission.",
        };
        answer->trouble = NULL;
        answer->outcome = PROVIDER_NO_AUTH;
        break;
    default:
        answer->trouble = failure_read(error, call->arena).code;
        break;
    }
}

static int64_t retry_after_us(const struct http_call *http)
{
    const char *text = http_call_header(http, "Retry-After");
    int64_t seconds = 0;
    if (text == NULL || text_to_i64(text, &seconds, NULL) != OK || seconds > 3600) {
        return 0;
    }
    return seconds * 1000000;
}

// A server's fault that is stored under the key, or that it says not to repeat, would only be answered again.
static bool repeating_is_useless(const struct http_call *http)
{
    return http->status >= 500 && (text_equal(http_call_header(http, "Idempotent-Replayed"), "true") ||
                                   text_equal(http_call_header(http, "Stripe-Should-Retry"), "false"));
}

void stripe_answer_read(struct provider_call *call)
{
    struct http_call *http = &call->http;
    struct provider_answer *answer = &call->answer;
    *answer = (struct provider_answer){.outcome = PROVIDER_UNKNOWN};
    if (http->result != HTTP_DONE) {
        answer->trouble = copy(call->arena, http->error);
        return;
    }
    answer->status = http->status;
    answer->request_id = copy(call->arena, http_call_header(http, "Request-Id"));
    answer->retry_after_us = retry_after_us(http);
    struct json_object *body JSON_CLEANUP = NULL;
    enum errc rc = json_parse(buf_str(&http->response_body), http->response_body.len, &body, NULL);
    if (rc != OK || !json_object_is_type(body, json_type_object)) {
        answer->trouble = "an answer that is not a JSON object";
    } else if (http->status >= 200 && http->status < 300) {
        read_success(call, body);
    } else {
        read_error(call, body);
    }
    if (answer->outcome == PROVIDER_UNKNOWN && repeating_is_useless(http)) {
        answer->outcome = PROVIDER_LOOK_UP;
    }
}
