// Opens and closes what the requests share: the server, and the limits on what they may use together. What
// happens to a request is in pipeline.c.
#include "api/api.h"

#include <stdlib.h>

#include "api/api_private.h"
#include "api/audit_head.h"
#include "api/auth_guard.h"
#include "api/failure_limit.h"
#include "api/pipeline.h"
#include "api/refused_events.h"
#include "api/slots.h"
#include "base/require.h"
#include "net/http_server.h"

#define HEAD_BYTES_MAX (8 * 1024)
// CSV exports at once, in total and of one merchant: each may hold a piece for a client that does not read.
#define EXPORTS_MAX 32
#define EXPORTS_OF_MERCHANT_MAX 8
// Host names looked up at once, in total and of one merchant: a name whose servers do not answer holds a
// thread for long. Fewer than the threads that libuv has (uv_loop.c), so that the provider's name can always
// be looked up.
#define LOOK_UPS_MAX 12
#define LOOK_UPS_OF_MERCHANT_MAX 2
// Memory for bodies and large answers, in total and of one address. MemoryMax in the systemd unit is higher.
#define MEMORY_BYTES_MAX ((size_t)128 * 1024 * 1024)
#define MEMORY_SHARE_BYTES_MAX ((size_t)8 * 1024 * 1024)

static enum errc open_server(struct api *api, struct err *err)
{
    const struct config *config = api->config;
    enum errc rc = network_list_parse(config->trusted_proxies, &api->arena, &api->trusted_proxies, err);
    if (rc == OK) {
        rc = network_list_parse(config->webhook_allow, &api->arena, &api->webhook_allow, err);
    }
    struct http_server_options server = {
        .listen = config->listen,
        .connections_max = (unsigned)config->connections_max,
        .connections_per_address_max = (unsigned)config->connections_per_address_max,
        .unlimited = &api->trusted_proxies,
        .idle_timeout_s = (unsigned)(config->idle_timeout_ms / 1000),
        .request_timeout_s = (unsigned)(config->request_timeout_ms / 1000),
        .head_bytes_max = HEAD_BYTES_MAX,
        .memory = api->memory,
        .context = api,
    };
    pipeline_attach(&server);
    return rc == OK ? http_server_open(api->uv_loop, &server, &api->server, err) : rc;
}

enum errc api_open(const struct api_options *options, struct api **opened, struct err *err)
{
    struct api *api = calloc(1, sizeof(*api));
    REQUIRE(api != NULL);
    api->uv_loop = options->uv_loop;
    api->loop = options->loop;
    api->store = options->store;
    api->engine = options->engine;
    api->keyring = options->keyring;
    api->config = options->config;
    api->random = options->random;
    api->add_metrics = options->add_metrics;
    api->context = options->context;
    api->memory = http_memory_open(MEMORY_BYTES_MAX, MEMORY_SHARE_BYTES_MAX);
    enum errc rc = open_server(api, err);
    if (rc != OK) {
        http_memory_free(api->memory);
        arena_release(&api->arena);
        free(api);
        return rc;
    }
    api->bad_signatures = failure_limit_open(api->loop);
    failure_limit_share(api->bad_signatures, engine_notices(api->engine), "bad_signatures");
    api->refused_events = refused_events_open();
    serial_queue_init(&api->serial_jobs);
    api->exports = slots_open(EXPORTS_MAX, EXPORTS_OF_MERCHANT_MAX);
    api->look_ups = slots_open(LOOK_UPS_MAX, LOOK_UPS_OF_MERCHANT_MAX);
    const size_t operations_max = (size_t)options->config->operations_max;
    api->operations = slots_open(operations_max, operations_max);
    api->guard = auth_guard_open(api->loop, api->store, api->keyring);
    auth_guard_share(api->guard, engine_notices(api->engine));
    api->audit_heads = audit_heads_open(api->loop, api->store);
    *opened = api;
    return OK;
}

uint16_t api_port(const struct api *api)
{
    return http_server_port(api->server);
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

void api_free(struct api *api)
{
    http_server_close(api->server);
    audit_heads_free(api->audit_heads);
    auth_guard_free(api->guard);
    failure_limit_free(api->bad_signatures);
    refused_events_free(api->refused_events);
    slots_close(api->exports);
    slots_close(api->look_ups);
    slots_close(api->operations);
    http_memory_free(api->memory);
    arena_release(&api->arena);
    free(api);
}
