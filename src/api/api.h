// The HTTP API. Loop thread.
#pragma once

#include "base/buf.h"
#include "base/config.h"
#include "base/keyring.h"
#include "net/uv_loop.h"
#include "op/engine/op.h"
#include "store/store.h"

struct api;

struct api_options {
    struct uv_service_loop *uv_loop;
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    const struct keyring *keyring;
    const struct config *config;
    struct random *random;
    // Appends the metrics that the API does not know, those of deliveries.
    void (*add_metrics)(struct buf *out, void *context);
    void *context;
};

// Listens. ERR_CONFIG.
enum errc api_open(const struct api_options *options, struct api **opened, struct err *err) MUST_CHECK;
uint16_t api_port(const struct api *api);

// Answers the requests in progress and accepts no new ones. True once none is in progress.
bool api_drain(struct api *api);
void api_free(struct api *api);
