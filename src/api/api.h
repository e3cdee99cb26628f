// The HTTP API: from a request's head to its answer. Loop thread.
#pragma once

#include "api/auth_guard.h"
#include "api/request.h"
#include "net/address.h"
#include "net/uv_loop.h"

struct api_options {
    struct uv_service_loop *uv_loop;
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    const struct keyring *keyring;
    const struct config *config;
    struct random *random;
    // Appends the metrics of what the API does not know (deliveries).
    void (*add_metrics)(struct buf *out, void *context);
    void *context;
};

// Listens. ERR_CONFIG.
enum errc api_open(const struct api_options *options, struct api **opened, struct err *err) MUST_CHECK;
uint16_t api_port(const struct api *api);
const struct api_options *api_options(const struct api *api);

// Answers what is under way and takes nothing new. True once nothing is under way.
bool api_drain(struct api *api);
void api_free(struct api *api);

// Addresses that webhook URLs may have although special, from the settings.
const struct network_list *api_webhook_allow(const struct api *api);

struct api_stats {
    int64_t requests_total;
    int64_t answers_total[6]; // by hundreds of the status: [2] is 2xx
    int64_t connections;
    int64_t signatures_refused_total; // of provider's events
    int64_t memory_bytes;             // of bodies and large answers
    int64_t memory_refused_total;     // bodies and answers that found no room
    int64_t exports;                  // whole lists that are being sent
};
void api_stats(const struct api *api, struct api_stats *stats);
bool api_draining(const struct api *api);
struct refused_events *api_refused_events(struct api *api);
