// For who runs it or programs against it: /healthz, /readyz, /metrics, /openapi.json. Answered on the loop,
// without the database.
#include "api/api.h"
#include "api/handlers.h"
#include "api/openapi.h"
#include "base/log.h"

#define METRICS_BYTES_MAX (64 * 1024)

void healthz_answer(struct request *request)
{
    request->status = 200;
    request->reply = "{\"status\":\"alive\"}";
}

void readyz_answer(struct request *request)
{
    bool ready = engine_ready(api_options(request->api)->engine) && !api_draining(request->api);
    request->status = ready ? 200 : 503;
    request->retry_after_s = ready ? 0 : 1;
    request->reply = ready ? "{\"status\":\"ready\"}" : "{\"status\":\"not ready\"}";
}

static void metric(struct buf *out, const char *type, const char *name, int64_t value)
{
    buf_printf(out, "# TYPE payments_%s %s\npayments_%s %lld\n", name, type, name, (long long)value);
}

void metrics_answer(struct request *request)
{
    const struct api_options *options = api_options(request->api);
    struct buf out BUF_CLEANUP = BUF_MAX(METRICS_BYTES_MAX);
    struct api_stats api;
    struct engine_stats engine;
    api_stats(request->api, &api);
    engine_stats(options->engine, &engine);
    metric(&out, "counter", "http_requests_total", api.requests_total);
    buf_add_str(&out, "# TYPE payments_http_answers_total counter\n");
    for (int class = 2; class < 6; class ++) {
        buf_printf(&out, "payments_http_answers_total{class=\"%dxx\"} %lld\n", class,
                   (long long)api.answers_total[class]);
    }
    metric(&out, "counter", "webhook_signatures_refused_total", api.signatures_refused_total);
    metric(&out, "gauge", "http_connections", api.connections);
    metric(&out, "gauge", "exports_in_flight", api.exports);
    metric(&out, "gauge", "store_jobs_waiting", (int64_t)store_waiting(options->store));
    metric(&out, "gauge", "operations_in_flight", engine.in_flight);
    metric(&out, "gauge", "operations_callers_waiting", engine.waiting);
    metric(&out, "counter", "operations_attempts_total", engine.attempts_total);
    metric(&out, "counter", "operations_unknown_total", engine.unknown_total);
    metric(&out, "counter", "operations_settle_retries_total", engine.settle_retries_total);
    metric(&out, "counter", "operations_settle_given_up_total", engine.settle_given_up_total);
    metric(&out, "counter", "operations_put_back_total", engine.put_back_total);
    metric(&out, "gauge", "provider_calls_queued", engine.governor.queued);
    metric(&out, "counter", "provider_refused_total", engine.governor.refused_total);
    metric(&out, "counter", "provider_limited_total", engine.governor.limited_total);
    metric(&out, "gauge", "provider_circuit_open", engine.governor.circuit_open);
    metric(&out, "counter", "provider_circuit_opened_total", engine.governor.circuit_opened_total);
    metric(&out, "counter", "log_dropped_total", log_dropped_total());
    options->add_metrics(&out, options->context);
    request->status = 200;
    request->content_type = "text/plain; version=0.0.4";
    request->reply = arena_strdup(request->arena, buf_str(&out));
}

void openapi_answer(struct request *request)
{
    request->status = 200;
    request->reply = openapi_json();
}
