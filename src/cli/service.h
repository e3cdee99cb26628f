// The service as `serve` puts it together (serve.c) and runs it (serve_run.c).
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
    END_CALLS_OPEN,  // calls of ours did not end in time
    END_CALLERS_CUT, // nor did calls to us
};

struct service {
    int argc;
    char **argv;
    const struct command *command;
    const struct config *config;
    struct keyring *keyring;
    struct arena *arena;
    bool accept_restored; // --accept-restored
    bool had_database;    // before this start
    bool is_last_stopped; // it is the very one that the last run stopped with
    bool is_taken_up;     // the database says by now what this run has to ask Stripe for
    int64_t payments;     // in it, counted up to PAYMENTS_COUNTED_MAX
    struct uv_service_loop *uv_loop;
    struct loop *loop;
    struct store *store;
    struct http_client *provider_http1;
    // Over HTTP/2 where the provider's address is https, else provider_http1.
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

// Serves until a signal ends it, and what was under way has ended or the time for that is over: service->end.
void service_run(struct service *service);
