// How a request is handled: faults, key, version, route, idempotency, parameters, handler. The order is
// Stripe's: an answer that refuses before execution begins is not kept under the idempotency key. Pure.
#include <string.h>
#include <strings.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/call.h"
#include "sandbox/control.h"
#include "sandbox/idempotency.h"
#include "sandbox/response.h"
#include "sandbox/routes.h"

#define KEY_CHARS_MAX 255
#define SHOWN_CHARS_MIN 16 // shorter keys are masked whole
#define REQUEST_TAIL_CHARS 14
#define VERSION_CHARS_MAX 40 // a longer version is cut, because it is given back

// The key of "Bearer KEY" or "Basic base64(KEY:)"; NULL: none.
static const char *key_of(const char *authorization, struct arena *arena)
{
    if (authorization == NULL) {
        return NULL;
    }
    if (strncasecmp(authorization, "Bearer ", 7) == 0) {
        return text_trim(arena, authorization + 7);
    }
    char pair[KEY_CHARS_MAX + 2];
    size_t bytes = 0;
    if (strncasecmp(authorization, "Basic ", 6) != 0 ||
        text_base64_decode(text_trim(arena, authorization + 6), pair, sizeof(pair) - 1, &bytes, NULL) != OK) {
        return NULL;
    }
    pair[bytes] = '\0';
    return arena_strndup(arena, pair, strcspn(pair, ":"));
}

static bool is_api_key(const char *key)
{
    static const char *const prefixes[] = {"sk_test_", "sk_live_", "rk_test_",
                                           "rk_live_", "pk_test_", "pk_live_"};
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (text_starts_with(key, prefixes[i])) {
            return key[strlen(prefixes[i])] != '\0' && key[strspn(key, digits)] == '\0' &&
                   strlen(key) <= KEY_CHARS_MAX && strstr(key, "invalid") == NULL;
        }
    }
    return false;
}

// "sk_test_****************abcd"
static const char *masked(const char *key, struct arena *arena)
{
    size_t chars = strlen(key);
    char *copy = arena_strdup(arena, key);
    bool is_long = chars >= SHOWN_CHARS_MIN;
    for (size_t i = is_long ? 8 : 0; i < (is_long ? chars - 4 : chars); i++) {
        copy[i] = '*';
    }
    return copy;
}

// Finds the account of the API key in the Authorization header (Bearer or Basic), and makes it at first use.
// A publishable key belongs to the account whose secret key has the same tail: pk_test_a to that of
// sk_test_a. False: refused (401, or 429 where there are too many accounts).
// https://docs.stripe.com/api/authentication
static bool authorize(struct call *call, const char *authorization)
{
    struct arena *arena = call->context.arena;
    const char *key = key_of(authorization, arena);
    if (key == NULL || key[0] == '\0') {
        return call_refuse_as(
            call, 401, NULL, NULL,
            "You did not provide an API key: send it as 'Authorization: Bearer YOUR_SECRET_KEY'.");
    }
    if (!text_is_utf8(key, strlen(key)) || !is_api_key(key)) {
        const char *shown = text_is_utf8(key, strlen(key)) ? masked(key, arena) : "?";
        return call_refuse_as(call, 401, NULL, NULL,
                              arena_printf(arena, "Invalid API Key provided: %.300s", shown));
    }
    if (strstr(key, "expired") != NULL) {
        return call_refuse_as(call, 401, "api_key_expired", NULL,
                              arena_printf(arena, "Expired API Key provided: %s", masked(key, arena)));
    }
    call->publishable = text_starts_with(key, "pk_");
    call->context.account =
        account_of_key(call->context.sandbox, call->publishable ? arena_printf(arena, "s%s", key + 1) : key);
    return call->context.account != NULL ||
           call_refuse_as(call, 429, "rate_limit", NULL, "This sandbox has no room for another account.");
}

static bool check_version(struct call *call)
{
    const char *version = call->version;
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; i < strlen(form); i++) {
        bool fits = form[i] == 'd' ? version[i] >= '0' && version[i] <= '9' : version[i] == form[i];
        if (!fits) {
            call->version = VERSION_NEWEST;
            return call_refuse_as(
                call, 400, NULL, NULL,
                arena_printf(call->context.arena, "Invalid Stripe API version: %s", version));
        }
    }
    return true;
}

// Checks the parameters and runs the handler.
static void execute(struct call *call, const struct route *route, const struct sandbox_request *request)
{
    bool has_body = text_equal(request->method, "POST");
    const char *text = has_body ? request->body : request->query;
    size_t bytes = has_body ? request->body_bytes : strlen(request->query);
    struct refusal refusal;
    if (!params_read(&call->params, text == NULL ? "" : text, bytes, route->params, call->version,
                     call->context.arena, &refusal)) {
        call_refuse(call, &refusal);
        return;
    }
    if (has_body && call->context.sandbox->bytes >= STATE_BYTES_MAX) {
        call_refuse_as(call, 429, "rate_limit", NULL, "This sandbox is full: restart it.");
        return;
    }
    route->handle(call);
    REQUIRE(call->status != 0);
}

static const struct route *find_route(struct call *call, const struct sandbox_request *request)
{
    const struct route *route =
        route_find(request->method, request->path, call->context.arena, &call->id, &call->inner_id);
    if (route == NULL) {
        call_refuse_as(call, 404, NULL, NULL,
                       arena_printf(call->context.arena, "Unrecognized request URL (%.10s: %.200s).",
                                    request->method, request->path));
        return NULL;
    }
    if (call->publishable && !route->publishable) {
        call_refuse_as(call, 401, "secret_key_required", NULL,
                       "This API call cannot be made with a publishable API key: use a secret API key.");
        return NULL;
    }
    call->kind = route->kind;
    return route;
}

static void answer_call(struct call *call, const struct sandbox_request *request,
                        struct sandbox_response *response)
{
    struct kept_answer kept = {0};
    const struct route *route = check_version(call) ? find_route(call, request) : NULL;
    enum idempotency idempotency =
        route == NULL ? IDEMPOTENCY_REFUSED : idempotency_look_up(call, request, &kept);
    if (idempotency == IDEMPOTENCY_REPLAY) {
        response->status = kept.status;
        response->body = kept.body;
        response->body_bytes = strlen(kept.body);
        response_header(response, "Idempotent-Replayed", "true");
        response_header(response, "Original-Request", kept.request_id);
        return;
    }
    if (idempotency != IDEMPOTENCY_REFUSED) {
        execute(call, route, request);
    }
    response_json(response, call->status, call->body);
    call->body = NULL;
    if (idempotency == IDEMPOTENCY_FIRST && call->began) {
        kept = (struct kept_answer){
            .status = response->status, .body = response->body, .request_id = call->context.request_id};
        idempotency_keep(call, request, &kept, call->context.now_us + response->delay_us);
        response_header(response, "Original-Request", call->context.request_id);
    }
    if (response->status == 409) {
        response_header(response, "Stripe-Should-Retry", "true");
    } else if (response->status >= 500) {
        // If the answer is kept, a retry gets the same again.
        response_header(response, "Stripe-Should-Retry", idempotency == IDEMPOTENCY_FIRST ? "false" : "true");
    }
}

static void answer_fault(struct sandbox *sandbox, struct sandbox_response *response)
{
    int status = sandbox->faults.error_status == 0 ? 500 : (int)sandbox->faults.error_status;
    struct refusal refusal = {.status = status,
                              .type = status >= 500 ? "api_error" : NULL,
                              .code = status == 429   ? "rate_limit"
                                      : status == 409 ? "lock_timeout"
                                                      : NULL,
                              .message = "An error made on purpose: nothing was executed."};
    struct json_object *body = json_new_object();
    json_add(body, "error", refusal_json(&refusal));
    response_json(response, status, body);
    if (status >= 500 || status == 409) {
        response_header(response, "Stripe-Should-Retry", "true");
    }
}

static void handle_api(struct sandbox *sandbox, int64_t now_us, const struct sandbox_request *request,
                       struct sandbox_response *response)
{
    struct faults *faults = &sandbox->faults;
    struct call call = {
        .context = {.sandbox = sandbox,
                    .now_us = now_us,
                    .arena = response->arena,
                    .request_id = id_new(sandbox->random, response->arena, "req_", REQUEST_TAIL_CHARS),
                    .base_url = request->base_url},
        .version = request->stripe_version == NULL
                       ? VERSION_NEWEST
                       : arena_strndup(response->arena, request->stripe_version, VERSION_CHARS_MAX),
        .path = request->path};
    if (text_equal(request->method, "POST")) {
        call.context.idempotency_key = request->idempotency_key;
    }
    response->delay_us = faults->latency_ms * US_PER_MS;
    response_header(response, "Request-Id", call.context.request_id);
    if (faults_roll(faults, faults->drop_before_rate)) {
        response->drop = true;
        return;
    }
    if (faults_roll(faults, faults->error_rate)) {
        answer_fault(sandbox, response);
    } else if (authorize(&call, request->authorization)) {
        answer_call(&call, request, response);
    } else {
        response_json(response, call.status, call.body);
        response_header(response, "WWW-Authenticate", "Basic realm=\"Stripe\"");
    }
    response_header(response, "Stripe-Version", call.version);
    if (call.context.idempotency_key != NULL &&
        strlen(call.context.idempotency_key) <= IDEMPOTENCY_KEY_CHARS_MAX) {
        response_header(response, "Idempotency-Key", call.context.idempotency_key);
    }
    response->drop = faults_roll(faults, faults->drop_after_rate);
}

void sandbox_handle(struct sandbox *sandbox, int64_t now_us, const struct sandbox_request *request,
                    struct sandbox_response *response)
{
    *response = (struct sandbox_response){.arena = response->arena, .content_type = "application/json"};
    if (text_starts_with(request->path, "/_sandbox/")) {
        control_handle(sandbox, now_us, request, response);
    } else {
        handle_api(sandbox, now_us, request, response);
    }
}
