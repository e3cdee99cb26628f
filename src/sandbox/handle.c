// The way of a request through the sandbox: faults, key, version, route, parameters, idempotency, handler.
// Pure. Order as at Stripe: whatever is refused before the handler begins is not kept under the idempotency
// key.
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/authorization.h"
#include "sandbox/call.h"
#include "sandbox/control.h"
#include "sandbox/idempotency.h"
#include "sandbox/ids.h"
#include "sandbox/response.h"
#include "sandbox/routes.h"
#include "sandbox/versions.h"

#define REQUEST_TAIL_CHARS 14
// Of a version; what is longer is cut, because it is given back.
#define VERSION_CHARS_MAX 40

static bool check_version(struct call *call)
{
    const char *version = call->version;
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; i < strlen(form); i++) {
        bool fits = form[i] == 'd' ? version[i] >= '0' && version[i] <= '9' : version[i] == form[i];
        if (!fits) {
            call->version = VERSION_NEWEST;
            call_refuse(
                call, &(struct refusal){.status = 400,
                                        .message = arena_printf(call->context.arena,
                                                                "Invalid Stripe API version: %s", version)});
            return false;
        }
    }
    return true;
}

static bool check_room(struct call *call)
{
    if (call->context.sandbox->bytes < STATE_BYTES_MAX) {
        return true;
    }
    call_refuse(call, &(struct refusal){.status = 429,
                                        .code = "rate_limit",
                                        .message = "This sandbox is full: restart it."});
    return false;
}

// Runs the handler, unless something is wrong before.
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
    if (!has_body || check_room(call)) {
        route->handle(call);
    }
    REQUIRE(call->status != 0);
}

static const struct route *find_route(struct call *call, const struct sandbox_request *request)
{
    const struct route *route =
        route_find(request->method, request->path, call->context.arena, &call->id, &call->inner_id);
    if (route == NULL) {
        call_refuse(call,
                    &(struct refusal){.status = 404,
                                      .message = arena_printf(call->context.arena,
                                                              "Unrecognized request URL (%.10s: %.200s).",
                                                              request->method, request->path)});
    } else if (call->publishable && !route->publishable) {
        call_refuse(call, &(struct refusal){.status = 401,
                                            .code = "secret_key_required",
                                            .message = "This API call cannot be made with a publishable API "
                                                       "key: use a secret API key."});
        return NULL;
    }
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
        // The answer is kept: the same request only gets it again.
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
    struct refusal refusal;
    if (faults_roll(faults, faults->error_rate)) {
        answer_fault(sandbox, response);
    } else if ((call.context.account = authorize(sandbox, request->authorization, response->arena,
                                                 &call.publishable, &refusal)) != NULL) {
        answer_call(&call, request, response);
    } else {
        call_refuse(&call, &refusal);
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
