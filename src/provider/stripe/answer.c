// What an answer of Stripe's means. The rule that everything else rests on: only what is definitely refused
// is refused; a cut, unparsable or surprising answer leaves the outcome unknown. Sources:
// https://docs.stripe.com/api/errors, https://docs.stripe.com/api/idempotent_requests, and the retry decision
// of Stripe's own SDKs.
#include "provider/stripe/answer.h"

#include <string.h>
#include <time.h>

#include "base/json_reader.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "provider/stripe/event.h"
#include "provider/stripe/object.h"

// Stripe's own SDKs wait no longer either.
#define RETRY_AFTER_MAX_S 60
// A page that could not be read would be asked for for ever. An event of an old version holds a payment with
// its charges, some 300 values with what a merchant may add; a payment with many methods and a last error
// 200.
#define LIST_VALUES_MAX ((size_t)1000 * PROVIDER_PAGE_ITEMS)
// How Stripe names the permissions of a restricted key, and how much of that is taken over.
#define PERMISSION_PREFIX "rak_"
#define PERMISSIONS_MAX 4
#define PERMISSION_BYTES_MAX 64
#define KEY_IN_USE "idempotency_key_in_use"

static bool is_list(enum provider_verb verb)
{
    return verb == PROVIDER_LIST || verb == PROVIDER_REFUND_LIST || verb == PROVIDER_CUSTOMER_LIST ||
           verb == PROVIDER_SETUP_LIST || verb == PROVIDER_EVENTS || verb == PROVIDER_PAYMENTS_SINCE ||
           verb == PROVIDER_REFUNDS_SINCE;
}

// Whether an object may be one of the account that was asked: none says so that is of the other mode.
static bool fits_mode(const struct provider_call *call, const struct json_value *object)
{
    return json_read_bool(object, "livemode", call->livemode) == call->livemode;
}

static bool read_listed_intent(struct provider_call *call, const struct json_value *item, size_t i,
                               size_t length)
{
    struct provider_answer *answer = call->answer;
    if (i == 0) {
        answer->payments = arena_alloc(call->arena, length * sizeof(struct provider_payment));
    }
    answer->payment_count = i + 1;
    if (!stripe_intent_read(item, call->arena, &answer->payments[i])) {
        return false;
    }
    if (call->verb == PROVIDER_PAYMENTS_SINCE) {
        stripe_origin_read(item, call->arena, &answer->payments[i].origin);
    }
    return true;
}

// One of a list's `length` objects.
static bool read_item(struct provider_call *call, const struct json_value *item, size_t i, size_t length)
{
    struct provider_answer *answer = call->answer;
    if (call->verb == PROVIDER_EVENTS) {
        if (i == 0) {
            answer->events = arena_alloc(call->arena, length * sizeof(struct provider_event));
        }
        // An event that cannot be read is left out: it must not keep the others from us.
        if (stripe_event_of_json(item, call->arena, &answer->events[answer->event_count], NULL) == OK) {
            answer->event_count++;
        }
        return true;
    }
    if (!fits_mode(call, item)) {
        return false;
    }
    if (call->verb == PROVIDER_LIST || call->verb == PROVIDER_PAYMENTS_SINCE) {
        return read_listed_intent(call, item, i, length);
    }
    if (call->verb == PROVIDER_CUSTOMER_LIST) {
        if (i == 0) {
            answer->customers = arena_alloc(call->arena, length * sizeof(struct provider_customer));
        }
        answer->customer_count = i + 1;
        return stripe_customer_read(item, call->arena, &answer->customers[i]);
    }
    if (call->verb == PROVIDER_SETUP_LIST) {
        struct provider_method method = {0};
        bool has_method = false;
        if (i == 0) {
            answer->setups = arena_alloc(call->arena, length * sizeof(struct setup));
        }
        answer->setup_count = i + 1;
        return stripe_setup_read(item, call->arena, &answer->setups[i], &method, &has_method);
    }
    if (i == 0) {
        answer->refunds = arena_alloc(call->arena, length * sizeof(struct provider_refund));
    }
    answer->refund_count = i + 1;
    return stripe_refund_read(item, call->arena, &answer->refunds[i]);
}

static void read_list(struct provider_call *call, const struct json_value *body)
{
    struct provider_answer *answer = call->answer;
    const struct json_value *data = json_read_member(body, "data");
    if (!json_is(data, JSON_ARRAY) || !json_is(json_read_member(body, "has_more"), JSON_BOOL)) {
        answer->reason = "a list without data or has_more";
        return;
    }
    bool has_more = json_read_bool(body, "has_more", false);
    const struct json_value *last = NULL;
    size_t i = 0;
    if (data->count == 0 && has_more) {
        answer->reason = "an empty page with has_more";
        return;
    }
    for (const struct json_value *item = json_first(data); item != NULL; item = json_next(data, item)) {
        if (!read_item(call, item, i++, data->count)) {
            answer->reason = "a list with an unreadable item";
            return;
        }
        last = item;
    }
    const char *last_id = json_read_str(last, "id");
    if (has_more && last_id == NULL) {
        answer->reason = "a list with has_more whose last item has no id";
        return;
    }
    answer->next_page = has_more ? arena_strdup(call->arena, last_id) : NULL;
    answer->outcome = PROVIDER_DONE;
}

// Whether the body is the object that the verb is answered with.
static bool read_object(struct provider_call *call, const struct json_value *body)
{
    struct provider_answer *answer = call->answer;
    switch (call->verb) {
    case PROVIDER_REFUND:
    case PROVIDER_REFUND_RETRIEVE:
        return answer->has_refund = stripe_refund_read(body, call->arena, &answer->refund);
    case PROVIDER_CUSTOMER:
        answer->customer_ref = arena_strdup(call->arena, json_read_str(body, "id"));
        return answer->customer_ref != NULL && answer->customer_ref[0] != '\0';
    case PROVIDER_ATTACH:
    case PROVIDER_DETACH:
    case PROVIDER_METHOD_RETRIEVE:
        return answer->has_method = stripe_method_read(body, call->arena, &answer->method);
    case PROVIDER_SETUP:
    case PROVIDER_SETUP_RETRIEVE:
    case PROVIDER_SETUP_CANCEL:
        return answer->has_setup =
                   stripe_setup_read(body, call->arena, &answer->setup, &answer->method, &answer->has_method);
    case PROVIDER_CHARGE:
    case PROVIDER_RETRIEVE:
    case PROVIDER_CONFIRM:
    case PROVIDER_CANCEL:
    case PROVIDER_CAPTURE:
        return answer->has_payment = stripe_intent_read(body, call->arena, &answer->payment);
    case PROVIDER_PAID_METHOD:
        answer->has_method = stripe_told_method_read(body, call->arena, &answer->method);
        return answer->has_payment = stripe_intent_read(body, call->arena, &answer->payment);
    case PROVIDER_LIST:
    case PROVIDER_REFUND_LIST:
    case PROVIDER_PAYMENTS_SINCE:
    case PROVIDER_REFUNDS_SINCE:
    case PROVIDER_CUSTOMER_LIST:
    case PROVIDER_SETUP_LIST:
    case PROVIDER_EVENTS:
    case PROVIDER_VERB_COUNT:
        break;
    }
    return false;
}

static void read_success(struct provider_call *call, const struct json_value *body)
{
    if (is_list(call->verb)) {
        read_list(call, body);
    } else if (!fits_mode(call, body)) {
        call->answer->reason = "the object's mode, test or live, differs from the secret key's";
    } else if (read_object(call, body)) {
        call->answer->outcome = PROVIDER_DONE;
    } else {
        call->answer->reason = "a success without the expected object";
    }
}

// A refusal that says itself what was refused. Of a declined payment that alone tells that it was tried: its
// intent may lack the last error.
static void read_refusal(struct provider_call *call, const struct json_value *error)
{
    struct provider_answer *answer = call->answer;
    const struct json_value *intent = json_read_member(error, "payment_intent");
    if (!fits_mode(call, intent)) {
        answer->reason = "a refusal about an object whose mode, test or live, differs from the secret key's";
        return;
    }
    answer->failure = stripe_failure_read(error, call->arena);
    answer->has_payment = stripe_intent_read(intent, call->arena, &answer->payment);
    if (text_equal(json_read_str(error, "type"), "card_error") &&
        text_equal(json_read_str(intent, "status"), "requires_payment_method")) {
        answer->payment.state = PROVIDER_PAYMENT_ATTEMPT_FAILED;
    }
    answer->customer_missing = text_equal(answer->failure.code, "resource_missing") &&
                               text_equal(json_read_str(error, "param"), "customer");
    answer->reason = NULL;
    answer->outcome = PROVIDER_REFUSED;
}

// Why the secret key was refused. Stripe's own message repeats the key, so only the names of the permissions
// that a restricted key lacks are taken over ("Having the 'rak_customer_write' permission would allow...").
static const char *key_refusal(struct arena *arena, const char *message)
{
    const char *lacking = NULL;
    const char *at = message != NULL ? strstr(message, PERMISSION_PREFIX) : NULL;
    for (int i = 0; at != NULL && i < PERMISSIONS_MAX; i++) {
        size_t bytes = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        const char *name =
            arena_strndup(arena, at, bytes < PERMISSION_BYTES_MAX ? bytes : PERMISSION_BYTES_MAX);
        lacking = lacking == NULL ? name : arena_printf(arena, "%s, %s", lacking, name);
        at = strstr(at + bytes, PERMISSION_PREFIX);
    }
    return lacking == NULL
               ? "The provider refused the secret key: it is unknown, expired or lacks a permission."
               : arena_printf(arena, "The provider refused the secret key: it lacks the permission %s.",
                              lacking);
}

// Of something between, or of another service than Stripe: what came of the call is not known.
static void read_foreign(struct provider_answer *answer, const char *reason)
{
    answer->reason = reason;
    answer->limited = answer->status == 429;
    answer->unreachable = !answer->limited;
    answer->foreign = !answer->limited && answer->status < 500;
}

static void read_error(struct provider_call *call, const struct json_value *body)
{
    struct provider_answer *answer = call->answer;
    const struct json_value *error = json_read_member(body, "error");
    const char *type = json_read_str(error, "type");
    if (type == NULL) {
        read_foreign(answer, "an error that is not in Stripe's format; is PAYMENTS_STRIPE_API_BASE right?");
        return;
    }
    // One whose key is in use is being carried out: the same request will be answered with what becomes of
    // it.
    bool busy = answer->status == 409 && text_equal(json_read_str(error, "code"), KEY_IN_USE);
    if (text_equal(type, "idempotency_error") && !busy) {
        answer->reason = "this idempotency key was already used for a different request";
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
            .message = key_refusal(call->arena, json_read_str(error, "message")),
        };
        answer->reason = NULL;
        answer->outcome = PROVIDER_NO_AUTH;
        break;
    default:
        answer->reason = stripe_failure_read(error, call->arena).code;
        // The other 429: the object is locked by another request.
        answer->limited = answer->status == 429 && !text_equal(answer->reason, "lock_timeout");
        break;
    }
}

// A proxy may ask for hours, and after such a wait a charge would be past its window.
static int64_t retry_after_us(const struct http_call *http)
{
    const char *text = http_call_header(http, "Retry-After");
    int64_t seconds = 0;
    if (text == NULL || text_to_i64(text, &seconds, NULL) != OK) {
        return 0;
    }
    return (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * US_PER_S;
}

// The Date header, in the one form that servers write (RFC 9110 section 5.6.7).
static int64_t server_time_us(const struct http_call *http)
{
    const char *text = http_call_header(http, "Date");
    int64_t time_us = 0;
    return text != NULL && time_parse_http(text, &time_us, NULL) == OK ? time_us : 0;
}

static bool header_says(const struct http_call *http, const char *name, const char *value)
{
    return text_equal(http_call_header(http, name), value);
}

// A fault that is stored under the key, or that it says not to repeat, would only be answered again. Not 429:
// nothing was done, so what is sent later is not a repetition.
static bool repeating_is_useless(const struct http_call *http)
{
    return (http->status >= 500 && header_says(http, "Idempotent-Replayed", "true")) ||
           (http->status != 429 && header_says(http, "Stripe-Should-Retry", "false"));
}

// A refusal that Stripe asks to repeat is not its last word, unless it is one that it had stored.
static void heed_should_retry(struct provider_call *call, const struct http_call *http)
{
    struct provider_answer *answer = call->answer;
    bool refused = answer->outcome == PROVIDER_REFUSED || answer->outcome == PROVIDER_NO_AUTH;
    if (refused && header_says(http, "Stripe-Should-Retry", "true") &&
        !header_says(http, "Idempotent-Replayed", "true")) {
        *answer =
            (struct provider_answer){.outcome = PROVIDER_UNKNOWN,
                                     .status = answer->status,
                                     .request_id = answer->request_id,
                                     .retry_after_us = answer->retry_after_us,
                                     .server_time_us = answer->server_time_us,
                                     .reason = "a refusal with a request to retry (Stripe-Should-Retry)"};
    } else if (answer->outcome == PROVIDER_UNKNOWN && repeating_is_useless(http)) {
        answer->outcome = PROVIDER_LOOK_UP;
    }
}

// A fault of Stripe's, or of something that it needs. A key in use is one payment's own trouble, and tells
// that Stripe is there.
static bool is_fault(const struct provider_answer *answer)
{
    bool conflict = answer->status == 409 && !text_equal(answer->reason, KEY_IN_USE);
    return answer->status >= 500 || answer->status == 424 || conflict;
}

void stripe_answer_read(struct provider_call *call, const struct http_call *http)
{
    struct provider_answer *answer = ARENA_NEW(call->arena, struct provider_answer);
    call->answer = answer;
    answer->outcome = PROVIDER_UNKNOWN;
    if (http->result != HTTP_DONE) {
        answer->outcome = http->result == HTTP_TOO_LATE ? PROVIDER_LOOK_UP : PROVIDER_UNKNOWN;
        answer->unreachable = http->result != HTTP_TOO_LARGE;
        answer->lost_connection = http->lost_connection;
        answer->too_large = http->result == HTTP_TOO_LARGE && is_list(call->verb);
        answer->reason = arena_strdup(call->arena, http->error);
        return;
    }
    answer->status = http->status;
    answer->request_id = arena_strdup(call->arena, http_call_header(http, "Request-Id"));
    answer->retry_after_us = retry_after_us(http);
    answer->server_time_us = server_time_us(http);
    struct arena scratch ARENA_CLEANUP = ARENA_EMPTY;
    const struct json_value *body = NULL;
    size_t values_max = is_list(call->verb) ? LIST_VALUES_MAX : JSON_VALUES_MAX;
    enum errc rc =
        json_read(&scratch, buf_str(&http->response_body), http->response_body.len, values_max, &body, NULL);
    if (rc != OK || !json_is(body, JSON_OBJECT)) {
        read_foreign(answer, "an answer that is not a JSON object; is PAYMENTS_STRIPE_API_BASE right?");
    } else if (http->status >= 200 && http->status < 300) {
        read_success(call, body);
    } else {
        read_error(call, body);
    }
    heed_should_retry(call, http);
    answer->unreachable |= is_fault(answer) && answer->outcome == PROVIDER_UNKNOWN;
}
