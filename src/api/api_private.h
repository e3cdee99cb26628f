// The state that all requests of one API share. Loop thread, except where a comment says otherwise.
#pragma once

#include "api/serial_queue.h"
#include "base/arena.h"
#include "base/buf.h"
#include "net/address.h"

struct api {
    // The options (api.h). Any thread may read them.
    struct uv_service_loop *uv_loop;
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    const struct keyring *keyring;
    const struct config *config;
    struct random *random;
    void (*add_metrics)(struct buf *out, void *context);
    void *context;

    struct http_server *server;
    struct http_memory *memory; // of bodies and large answers
    struct auth_guard *guard;
    struct audit_heads *audit_heads;
    struct failure_limit *bad_signatures;  // by address, of events
    struct refused_events *refused_events; // any thread
    struct serial_queue serial_jobs;
    struct slots *exports;    // of whole lists that are being sent
    struct slots *look_ups;   // of host names
    struct slots *operations; // of requests that may still prepare one
    struct arena arena;       // of the lists below
    struct network_list trusted_proxies;
    struct network_list webhook_allow; // special addresses that webhook URLs may have
    bool draining;

    int64_t requests_total;
    int64_t answers_total[6];         // by the status's first digit: [2] is 2xx
    int64_t signatures_refused_total; // of events
    int64_t memory_refused_total;     // bodies and answers refused because too much memory was in use
    int64_t jobs_refused_total;       // requests refused because too many waited for the database
    int64_t jobs_refused_logged;      // of these, how many there were when the log last said so
    int64_t jobs_refused_logged_us;   // monotonic; 0: never
};
