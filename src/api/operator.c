// For operators and developers: /healthz, /readyz, /metrics, /openapi.json. Answered on the loop, without the
// database.
#include "api/api_private.h"
#include "api/handlers.h"
#include "api/openapi.h"
#include "api/slots.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/timefmt.h"

#define METRICS_BYTES_MAX (64 * 1024)

void healthz_answer(struct request *request)
{
    request->status = 200;
    request->reply = "{\"status\":\"alive\"}";
}

void readyz_answer(struct request *request)
{
    const struct engine *engine = request->api->engine;
    const char *unready = request->api->draining ? "the service is stopping" : engine_unready(engine);
    bool ready = unready == NULL;
    struct engine_stats stats;
    engine_stats(engine, &stats);
    struct json_writer json = json_writer(request->arena);
    json_open_object(&json, NULL);
    json_write_str(&json, "status", ready ? "ready" : "not ready");
    if (!ready) {
        json_write_str(&json, "reason", unready);
    }
    if (ready && stats.lacking > 0) {
        json_write_i64(&json, "catching_up", stats.lacking);
    }
    request->status = ready ? 200 : 503;
    request->retry_after_s = ready ? 0 : 1;
    request->reply = json_finish(&json);
}

static void metric(struct buf *out, const char *type, const char *name, int64_t value, const char *help)
{
    buf_printf(out, "# HELP payments_%s %s\n# TYPE payments_%s %s\npayments_%s %lld\n", name, help, name,
               type, name, (long long)value);
}

static void add_api(struct buf *out, const struct api *api)
{
    metric(out, "counter", "http_requests_total", api->requests_total, "Requests received.");
    buf_add_str(out, "# HELP payments_http_answers_total Answers, by the class of their status.\n"
                     "# TYPE payments_http_answers_total counter\n");
    for (int class = 2; class < 6; class ++) {
        buf_printf(out, "payments_http_answers_total{class=\"%dxx\"} %lld\n", class,
                   (long long)api->answers_total[class]);
    }
    metric(out, "counter", "webhook_signatures_refused_total", api->signatures_refused_total,
           "Events of the provider refused because no signing secret matched.");
    metric(out, "gauge", "http_connections", (int64_t)http_server_connections(api->server),
           "Open client connections.");
    metric(out, "gauge", "http_memory_bytes", (int64_t)http_memory_bytes(api->memory),
           "Bytes of memory that request bodies and large answers use.");
    metric(out, "counter", "http_memory_refused_total", api->memory_refused_total,
           "Bodies and answers refused because the others already used too much memory.");
    metric(out, "gauge", "exports_in_flight", (int64_t)slots_reserved(api->exports),
           "CSV exports in progress.");
}

// Where the database is not shared, this process is its only node, and has the only clock.
static void add_nodes(struct buf *out, const struct store *store)
{
    const int64_t ahead_us = store_clock_ahead_us(store);
    metric(out, "gauge", "nodes", store_nodes(store), "Nodes that serve the database, as this one sees it.");
    metric(out, "counter", "nodes_removed_total", store_nodes_removed_total(store),
           "Nodes found dead by this one, which made their unfinished work due.");
    metric(out, "gauge", "clock_distance_ms", (ahead_us < 0 ? -ahead_us : ahead_us) / US_PER_MS,
           "Milliseconds between this machine's clock and the database's.");
}

static void add_operations(struct buf *out, const struct engine_stats *engine)
{
    metric(out, "gauge", "operations_in_flight", engine->in_flight, "Operations in progress.");
    metric(out, "gauge", "operations_callers_waiting", engine->waiting,
           "Requests waiting for an operation's outcome.");
    metric(out, "counter", "operations_attempts_total", engine->attempts_total,
           "Calls to the provider made by operations.");
    metric(out, "counter", "operations_unknown_total", engine->unknown_total,
           "Calls with an unknown outcome: the provider did not answer, or its answer was not clear.");
    metric(out, "counter", "operations_settle_retries_total", engine->settle_retries_total,
           "Failures to record an outcome, each followed by another try.");
    metric(out, "counter", "operations_settle_given_up_total", engine->settle_abandoned_total,
           "Outcomes that could not be recorded; the provider is asked for them again later.");
    metric(out, "counter", "operations_set_aside_total", engine->set_aside_total,
           "Operations postponed because a row or a key is damaged.");
    metric(out, "counter", "operations_put_back_total", engine->requeued_total,
           "Operations that waited too long for a call to the provider and went back to the database.");
    metric(out, "gauge", "accounts_held", engine->held,
           "Accounts whose new payments and refunds are refused until the provider has listed what this "
           "database "
           "may lack.");
    metric(out, "gauge", "accounts_lacking", engine->lacking,
           "Accounts whose payments or refunds are missing here, because this database was restored from a "
           "backup.");
}

static void add_provider(struct buf *out, const struct limiter_stats *limiter)
{
    metric(out, "gauge", "provider_calls_queued", limiter->queued,
           "Calls waiting for the rate limit or a free slot.");
    metric(out, "counter", "provider_refused_total", limiter->refused_total,
           "Operations refused because the provider is unreachable or the merchant's share is used up.");
    metric(out, "counter", "provider_limited_total", limiter->limited_total,
           "Calls that the provider answered with 429.");
    metric(out, "gauge", "provider_circuit_open", limiter->circuit_open,
           "1 while the provider is unreachable and gets only probes.");
    metric(out, "counter", "provider_circuit_opened_total", limiter->circuit_opened_total,
           "How often the circuit opened because the provider was unreachable.");
}

void metrics_answer(struct request *request)
{
    const struct api *api = request->api;
    struct buf out BUF_CLEANUP = BUF_MAX(METRICS_BYTES_MAX);
    struct engine_stats engine;
    engine_stats(api->engine, &engine);
    add_api(&out, api);
    metric(&out, "gauge", "store_jobs_waiting", (int64_t)store_waiting(api->store),
           "Database jobs waiting or running.");
    metric(&out, "counter", "store_lists_prepared_total", store_lists_prepared(api->store),
           "Statements prepared for lists because none was kept for their combination of filters.");
    metric(&out, "counter", "store_jobs_refused_total", api->jobs_refused_total,
           "Requests refused because too many of the same key, or in total, waited for the database.");
    add_nodes(&out, api->store);
    add_operations(&out, &engine);
    add_provider(&out, &engine.limiter);
    metric(&out, "counter", "log_dropped_total", log_dropped_total(),
           "Log lines dropped because nothing read them.");
    api->add_metrics(&out, api->context);
    request->status = 200;
    request->content_type = "text/plain; version=0.0.4";
    request->reply = arena_strdup(request->arena, buf_str(&out));
}

void openapi_answer(struct request *request)
{
    request->status = 200;
    request->reply = openapi_json();
}
