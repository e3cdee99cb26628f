// Requests as they come: head -> body -> a key that may be one -> read (pure) -> the database (work.c). Loop
// thread.
#include "api/api.h"

#include <stdlib.h>
#include <string.h>

#include "api/audit_head.h"
#include "api/auth.h"
#include "api/handlers.h"
#include "api/pipeline.h"
#include "api/refused_events.h"
#include "api/router.h"
#include "base/require.h"
#include "base/text.h"

#define HEAD_BYTES_MAX (8 * 1024)
// A body where none is needed is taken and not read.
#define UNREAD_BODY_MAX (64 * 1024)
// Whole lists at once, and of one merchant: each may wait with a piece for a client that takes nothing.
#define EXPORTS_MAX 32
#define EXPORTS_OF_MERCHANT_MAX 8
// Names looked up at once, and of one merchant: one whose servers are silent holds a thread for long. Fewer
// than libuv has threads for (uv_loop.c), so that the provider's name can always be looked up.
#define LOOK_UPS_MAX 12
#define LOOK_UPS_OF_MERCHANT_MAX 2
// What bodies and large answers may hold together, and of one address. The unit's MemoryMax stands above it.
#define MEMORY_BYTES_MAX ((size_t)128 * 1024 * 1024)
#define MEMORY_SHARE_BYTES_MAX ((size_t)8 * 1024 * 1024)

struct api {
    struct api_options options;
    struct http_server *server;
    struct http_memory *memory;
    struct auth_guard *guard;
    struct audit_heads *audit_heads;
    struct failure_limit *bad_signatures;
    struct refused_events *refused_events;
    struct serial_queue searches;
    struct slots *exports;
    struct slots *look_ups;
    struct arena arena; // the lists below
    struct network_list trusted_proxies;
    struct network_list webhook_allow;
    struct api_stats stats;
    int64_t reserved; // requests under way that may still prepare an operation
    bool draining;
};

const struct api_options *api_options(const struct api *api)
{
    return &api->options;
}

// A body without a type, or of curl's default type, is read as JSON: the seed's own examples send none.
static bool media_type_accepted(const char *type)
{
    if (type == NULL) {
        return true;
    }
    size_t length = strcspn(type, "; \t");
    return (length == 16 && strncasecmp(type, "application/json", length) == 0) ||
           (length == 33 && strncasecmp(type, "application/x-www-form-urlencoded", length) == 0);
}

static void on_head(struct http_exchange *exchange, void *context)
{
    struct api *api = context;
    struct request *request = request_new(api, exchange);
    api->stats.requests_total++;
    struct err err;
    const char *allow = NULL;
    enum errc rc = router_find(exchange->method, exchange->path, request->arena, &request->route,
                               &request->param, &allow, &err);
    if (rc == ERR_METHOD_NOT_ALLOWED) {
        request->allow = allow;
    }
    if (rc != OK) {
        request_fail(request, &err);
        return;
    }
    if (request->route->access == ROUTE_KEY && auth_check_head(request, &err) != OK) {
        request_fail(request, &err);
        return;
    }
    if (request->route->access == ROUTE_KEY && request->route->body_bytes_max > 0 &&
        !media_type_accepted(http_exchange_header(exchange, "Content-Type", NULL))) {
        (void)err_set(&err, ERR_UNSUPPORTED_MEDIA_TYPE,
                      "the body must be JSON, with the Content-Type application/json");
        request_fail(request, &err);
        return;
    }
    if (request->route->check_head != NULL && request->route->check_head(request, &err) != OK) {
        request_fail(request, &err);
        return;
    }
    exchange->client = request->client;
    exchange->body_unread = request->route->body_bytes_max == 0;
    exchange->body_bytes_max = exchange->body_unread ? UNREAD_BODY_MAX : request->route->body_bytes_max;
}

static void on_malformed(struct http_exchange *exchange, int status, const char *sentence, void *context)
{
    struct api *api = context;
    struct request *request = exchange->context;
    enum errc code = status == 408   ? ERR_REQUEST_TIMEOUT
                     : status == 431 ? ERR_HEAD_TOO_LARGE
                                     : ERR_BAD_REQUEST;
    struct err err;
    if (request == NULL) { // on_head was not called
        request = request_new(api, exchange);
        api->stats.requests_total++;
    }
    (void)err_set(&err, code, "%s", sentence);
    request_fail(request, &err);
}

static void on_too_large(struct http_exchange *exchange, void *context)
{
    (void)context;
    struct request *request = exchange->context;
    struct err err;
    (void)err_set(&err, ERR_PAYLOAD_TOO_LARGE, "the body is larger than %zu bytes", exchange->body_bytes_max);
    request_fail(request, &err);
}

static void on_no_memory(struct http_exchange *exchange, void *context)
{
    struct api *api = context;
    struct err err;
    api->stats.memory_refused_total++;
    (void)err_set(&err, ERR_OVERLOADED,
                  "too many request bodies are in memory; nothing was recorded, try again");
    request_fail(exchange->context, &err);
}

// Room for one more operation, from now on: those that wait for the database together may not fill the same
// place.
static void reserve(struct request *request)
{
    struct api *api = request->api;
    struct engine_stats engine;
    engine_stats(api->options.engine, &engine);
    int64_t begun = engine.in_flight > engine.waiting ? engine.in_flight : engine.waiting;
    request->has_room =
        engine_has_room(api->options.engine) && begun + api->reserved < api->options.config->operations_max;
    api->reserved += request->has_room;
}

void request_give_back(struct request *request)
{
    request->api->reserved -= request->has_room;
    request->has_room = false;
}

static void on_request(struct http_exchange *exchange, void *context)
{
    (void)context;
    struct request *request = exchange->context;
    const struct route *route = request->route;
    if (route->access == ROUTE_OPERATOR) {
        route->answer(request);
        request_send(request);
        return;
    }
    struct err err = {0};
    if (route->access == ROUTE_KEY) {
        if (auth_read(request, &err) != OK) {
            request_fail_unauthenticated(request, &err);
            return;
        }
        request_read_idempotency_key(request);
        bool left_out = route->body_optional && exchange->body.len == 0;
        if (request->refusal.code == OK && route->body_bytes_max > 0 && !left_out) {
            request_read_json(request);
        }
    }
    if (request->refusal.code == OK &&
        form_parse(exchange->query, strlen(exchange->query), request->arena, &request->query, &err) != OK) {
        request->refusal = err;
    }
    if (request->refusal.code == OK && route->read != NULL) {
        route->read(request);
    }
    if (route->access == ROUTE_PROVIDER && request->refusal.code != OK) {
        request_fail(request, &request->refusal); // there is no key whose holder alone may know it
        return;
    }
    if (route->access == ROUTE_KEY && route->queue == STORE_WRITE) {
        reserve(request);
    }
    request_begin(request);
}

static void on_end(struct http_exchange *exchange, void *context)
{
    (void)context;
    struct request *request = exchange->context;
    export_end(request);
    http_memory_release(request->api->memory, &request->answer_use);
}

enum errc api_open(const struct api_options *options, struct api **opened, struct err *err)
{
    struct api *api = calloc(1, sizeof(*api));
    REQUIRE(api != NULL);
    api->options = *options;
    api->memory = http_memory_open(MEMORY_BYTES_MAX, MEMORY_SHARE_BYTES_MAX);
    enum errc rc =
        network_list_parse(options->config->trusted_proxies, &api->arena, &api->trusted_proxies, err);
    if (rc == OK) {
        rc = network_list_parse(options->config->webhook_allow, &api->arena, &api->webhook_allow, err);
    }
    struct http_server_options server = {
        .listen = options->config->listen,
        .connections_max = (unsigned)options->config->connections_max,
        .connections_per_address_max = (unsigned)options->config->connections_per_address_max,
        .unlimited = &api->trusted_proxies,
        .idle_timeout_s = (unsigned)(options->config->idle_timeout_ms / 1000),
        .request_timeout_s = (unsigned)(options->config->request_timeout_ms / 1000),
        .head_bytes_max = HEAD_BYTES_MAX,
        .on_head = on_head,
        .on_request = on_request,
        .on_too_large = on_too_large,
        .on_malformed = on_malformed,
        .memory = api->memory,
        .on_no_memory = on_no_memory,
        .on_end = on_end,
        .context = api,
    };
    if (rc == OK) {
        rc = http_server_open(options->uv_loop, &server, &api->server, err);
    }
    if (rc != OK) {
        http_memory_free(api->memory);
        arena_release(&api->arena);
        free(api);
        return rc;
    }
    api->bad_signatures = failure_limit_open(options->loop);
    api->refused_events = refused_events_open();
    serial_queue_init(&api->searches);
    api->exports = slots_open(EXPORTS_MAX, EXPORTS_OF_MERCHANT_MAX);
    api->look_ups = slots_open(LOOK_UPS_MAX, LOOK_UPS_OF_MERCHANT_MAX);
    api->guard = auth_guard_open(options->loop, options->store, options->keyring);
    api->audit_heads = audit_heads_open(options->loop, options->store);
    *opened = api;
    return OK;
}

struct failure_limit *api_bad_signatures(struct api *api)
{
    return api->bad_signatures;
}

struct serial_queue *api_searches(struct api *api)
{
    return &api->searches;
}

struct auth_guard *api_guard(struct api *api)
{
    return api->guard;
}

struct refused_events *api_refused_events(struct api *api)
{
    return api->refused_events;
}

bool api_answer_has_memory(struct api *api, struct request *request, size_t bytes)
{
    bool has = http_memory_reserve(api->memory, &request->client, bytes, &request->answer_use);
    api->stats.memory_refused_total += !has;
    return has;
}

void api_count_answer(struct api *api, int status)
{
    api->stats.answers_total[status / 100]++;
}

void api_count_bad_signature(struct api *api)
{
    api->stats.signatures_refused_total++;
}

struct slots *api_exports(struct api *api)
{
    return api->exports;
}

struct slots *api_look_ups(struct api *api)
{
    return api->look_ups;
}

const struct network_list *api_trusted_proxies(const struct api *api)
{
    return &api->trusted_proxies;
}

uint16_t api_port(const struct api *api)
{
    return http_server_port(api->server);
}

const struct network_list *api_webhook_allow(const struct api *api)
{
    return &api->webhook_allow;
}

bool api_drain(struct api *api)
{
    if (!api->draining) {
        api->draining = true;
        http_server_drain(api->server);
    }
    bool heads_done = audit_heads_drain(api->audit_heads);
    return http_server_exchanges(api->server) == 0 && auth_guard_drain(api->guard) && heads_done;
}

bool api_draining(const struct api *api)
{
    return api->draining;
}

void api_stats(const struct api *api, struct api_stats *stats)
{
    *stats = api->stats;
    stats->exports = (int64_t)slots_taken(api->exports);
    stats->memory_bytes = (int64_t)http_memory_bytes(api->memory);
    stats->connections = (int64_t)http_server_connections(api->server);
}

void api_free(struct api *api)
{
    http_server_close(api->server);
    audit_heads_free(api->audit_heads);
    auth_guard_free(api->guard);
    failure_limit_free(api->bad_signatures);
    refused_events_free(api->refused_events);
    slots_close(api->exports);
    slots_close(api->look_ups);
    http_memory_free(api->memory);
    arena_release(&api->arena);
    free(api);
}
