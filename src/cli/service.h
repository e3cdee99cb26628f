// The parts of the running service, which serve.c opens and closes.
#pragma once

#include "api/api.h"
#include "cli/command.h"
#include "delivery/delivery.h"
#include "net/http_client.h"
#include "op/engine/op.h"
#include "provider/provider.h"
#include "store/store.h"

#define PAYMENTS_COUNTED_MAX 1000000

enum service_end {
    END_CLEAN,
    END_CALLS_OPEN,   // provider calls or deliveries did not end in time
    END_REQUESTS_CUT, // nor did requests to the API
};

struct service {
    int argc;
    char **argv;
    const struct command *command;
    const struct config *config;
    struct keyring *keyring;
    struct arena *arena;
    bool accept_restored;     // --accept-restored
    bool had_database;        // before this start
    bool was_stopped_cleanly; // nothing has touched the database since the last clean shutdown
    struct uuid stop_mark;    // what the last node left in a shared database, as this one kept it
    bool was_ready;           // the engine has recorded in the database what this run must ask the provider
    int64_t payments;         // in the database, counted up to PAYMENTS_COUNTED_MAX
    struct uv_service_loop *uv_loop;
    struct loop *loop;
    struct store *store;
    struct http_client *provider_http1;
    // HTTP/2 if the provider's URL is https, otherwise provider_http1.
    struct http_client *provider_client;
    struct http_client *webhook_client;
    struct provider *provider;
    struct engine *engine;
    struct delivery *delivery;
    struct api *api;
    struct timer drain_timer;
    int64_t drain_until_us; // monotonic; 0: not draining
    enum service_end end;
};

// "debug" to "error".
void service_set_log_level(const char *name);

// Serves until a signal stops it. Then waits for work under way, at most drain_timeout_ms: service->end.
void service_run(struct service *service);
