// See answer.h.
#include "api/answer.h"

#include <string.h>

#include "api/api_private.h"
#include "api/auth_guard.h"
#include "api/error_reply.h"
#include "api/router.h"
#include "base/log.h"
#include "base/text.h"
#include "base/timefmt.h"

// Answers from this size on count against the memory limit: a client that does not read can leave as many
// unread as it has connections.
#define LARGE_BYTES ((size_t)16 * 1024)
#define RETRY_AFTER_OVERLOAD_S 2
#define RETRY_AFTER_SOON_S 1
// How often the log says at most that requests are refused because too many wait.
#define WAITING_LOG_US US_PER_S

// An error is for an operator to look at. A refusal because of a limit is only a warning. While the service
// starts or stops, a 503 is expected.
static enum log_level level_of(const struct request *request)
{
    if (request->status == 503) {
        bool expected =
            request->api->draining || (request->route != NULL && request->route->access == ROUTE_OPERATOR);
        return expected ? LOG_INFO : LOG_WARN;
    }
    return request->status >= 500 ? LOG_ERROR : LOG_INFO;
}

static void log_request(const struct request *request)
{
    char merchant[UUID_TEXT_BYTES] = "";
    char client[ADDRESS_TEXT_BYTES];
    address_format(&request->client, client);
    if (!uuid_is_nil(&request->principal.merchant_id)) {
        uuid_format(&request->principal.merchant_id, merchant);
    }
    LOG(level_of(request), "request", LOG_STR("request_id", request->id),
        LOG_STR("method", request->exchange->method), LOG_STR("path", request->exchange->path),
        LOG_INT("status", request->status), LOG_STR("error_code", request->error_code),
        LOG_STR("client", client), LOG_STR("merchant_id", merchant),
        LOG_INT("duration_us", loop_mono_us(request->api->loop) - request->arrived_us));
}

// A large answer is held twice until it is sent: in the request's arena, and by the server. Only a reader's
// may be refused, because a writer must be told what was done. Exports have a limit of their own.
static bool has_memory(struct request *request, size_t bytes)
{
    if (bytes < LARGE_BYTES || request->more != NULL || !text_equal(request->exchange->method, "GET")) {
        return true;
    }
    bool has = http_memory_reserve(request->api->memory, &request->client, 2 * bytes, &request->answer_use);
    request->api->memory_refused_total += !has;
    return has;
}

void request_send(struct request *request)
{
    size_t body_bytes = strlen(request->reply);
    if (!has_memory(request, body_bytes)) {
        struct err err;
        (void)err_set(&err, ERR_OVERLOADED, "too many unread answers are in memory; try again");
        request_fail(request, &err);
        return;
    }
    struct http_reply_header headers[6];
    size_t count = 0;
    headers[count++] = (struct http_reply_header){"X-Request-Id", request->id};
    headers[count++] = (struct http_reply_header){"Cache-Control", "no-store"};
    if (request->replayed) {
        headers[count++] = (struct http_reply_header){"Idempotent-Replayed", "true"};
    }
    if (request->retry_after_s > 0) {
        headers[count++] = (struct http_reply_header){
            "Retry-After", arena_printf(request->arena, "%lld", (long long)request->retry_after_s)};
    }
    if (request->csv_name != NULL) {
        headers[count++] = (struct http_reply_header){
            "Content-Disposition",
            arena_printf(request->arena, "attachment; filename=\"%s.csv\"", request->csv_name)};
    }
    if (request->allow != NULL) {
        headers[count++] = (struct http_reply_header){"Allow", request->allow};
    }
    struct http_reply reply = {
        .status = request->status,
        .content_type = request->content_type != NULL ? request->content_type : "application/json",
        .headers = headers,
        .header_count = count,
        .body = request->reply,
        .body_bytes = body_bytes,
        .more = request->more,
    };
    request->api->answers_total[request->status / 100]++;
    if (!request->unlogged) {
        log_request(request);
    }
    http_exchange_reply(request->exchange, &reply);
}

void request_fail(struct request *request, const struct err *err)
{
    bool fields = err->code == ERR_VALIDATION && request->field_errors.count > 0;
    enum errc code = fields ? request->field_errors.items[0].code : err->code;
    request->status = errc_status(code);
    request->error_code = errc_public_code(code);
    request->content_type = NULL;
    request->csv_name = NULL;
    request->more = NULL;
    request->replayed = false; // the error is answered, not the stored answer
    request->reply = fields ? error_reply_fields(request->arena, &request->field_errors, request->id)
                            : error_reply(request->arena, err, request->id);
    const bool store_away = errc_is_store(err->code) && request->status == 503;
    if (err->code == ERR_OVERLOADED || store_away || err->code == ERR_PROVIDER_UNAVAILABLE) {
        request->retry_after_s = RETRY_AFTER_OVERLOAD_S;
    } else if (err->code == ERR_IDEMPOTENCY_IN_PROGRESS || err->code == ERR_CATCHING_UP) {
        request->retry_after_s = RETRY_AFTER_SOON_S;
    }
    if (err->code == ERR_SIGNATURE_INVALID) {
        request->api->signatures_refused_total++;
    }
    if (request->status == 500 || store_away) {
        LOG(LOG_ERROR, "request failed", LOG_STR("request_id", request->id), LOG_STR("error", err->message));
    }
    request_send(request);
}

// Under overload a line for each would bury all others, and be a sixth of a refusal's cost.
static void log_refused(struct api *api)
{
    const int64_t now_us = loop_mono_us(api->loop);
    if (api->jobs_refused_logged_us == 0 || now_us - api->jobs_refused_logged_us >= WAITING_LOG_US) {
        LOG(LOG_WARN, "requests were refused: too many are waiting",
            LOG_INT("count", api->jobs_refused_total - api->jobs_refused_logged));
        api->jobs_refused_logged = api->jobs_refused_total;
        api->jobs_refused_logged_us = now_us;
    }
}

void request_fail_waiting(struct request *request)
{
    struct api *api = request->api;
    struct err err;
    (void)err_set(&err, ERR_OVERLOADED, "too many requests are waiting; nothing was recorded, try again");
    api->jobs_refused_total++;
    log_refused(api);
    request->unlogged = true;
    request_fail(request, &err);
}

void request_count_auth(const struct request *request, const char *auth_event)
{
    const struct principal *principal = &request->principal;
    bool known = principal->prefix[0] != '\0';
    auth_guard_count(request->api->guard, auth_event, &request->client,
                     known ? &principal->own_merchant_id : NULL, principal->prefix);
    if (text_equal(auth_event, "auth.success")) {
        auth_guard_used(request->api->guard, &principal->key_id, request->now_us);
    }
}

void request_fail_unauthenticated(struct request *request, struct err *err)
{
    struct auth_guard *guard = request->api->guard;
    request_count_auth(request, request->auth_event);
    int64_t wait_s = auth_guard_failed(guard, &request->client);
    if (wait_s > 0) {
        auth_guard_count(guard, "auth.rate_limited", &request->client, NULL, "");
        (void)err_set(err, ERR_AUTH_RATE_LIMITED, "too many requests from this address used a bad key");
        request->retry_after_s = wait_s;
    }
    request_fail(request, err);
}
