// Deliveries of events. Pure: somebody else sends. See deliveries.h.
// Signature: https://docs.stripe.com/webhooks/signatures (t, and HMAC-SHA256 over t "." body, keyed with the
// whole secret text).
#include "sandbox/deliveries.h"

#include <string.h>

#include "base/crypto.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/scheduled_jobs.h"

// How long after each failed attempt the next one follows. Stripe's test mode takes hours; a stand-in is
// watched.
static const int64_t retry_delays_us[] = {US_PER_S / 2, 2 * US_PER_S, 10 * US_PER_S, 60 * US_PER_S};

static bool wants(const struct document *endpoint, const char *type)
{
    struct json_object *enabled = json_get(endpoint->json, "enabled_events");
    for (size_t i = 0; i < json_object_array_length(enabled); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(enabled, i));
        if (text_equal(name, "*") || text_equal(name, type)) {
            return text_equal(json_get_str(endpoint->json, "status"), "enabled");
        }
    }
    return false;
}

// Calls `with` for each endpoint that wants the type; gives their number.
static int64_t each_wanting(const struct context *context, const char *type, const char *event_id,
                            void (*with)(const struct context *context, const char *endpoint_id,
                                         const char *event_id))
{
    int64_t count = 0;
    LIST_EACH_SAFE(&context->account->sets[OBJECT_ENDPOINT].in_order, link, after)
    {
        struct document endpoint DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
        const char *id = CONTAINER_OF(link, struct object, link)->id;
        if (document_open(context, OBJECT_ENDPOINT, id, &endpoint) && wants(&endpoint, type)) {
            count++;
            if (with != NULL) {
                with(context, id, event_id);
            }
        }
    }
    return count;
}

int64_t deliveries_wanting(const struct context *context, const char *type)
{
    return each_wanting(context, type, NULL, NULL);
}

static void add_job(const struct context *context, const char *endpoint_id, const char *event_id, bool first)
{
    struct json_object *task = json_new_object();
    json_add_str(task, "event", event_id);
    json_add_str(task, "endpoint", endpoint_id);
    json_add_i64(task, "attempts", 0);
    json_add_bool(task, "duplicate", !first);
    job_add(context, JOB_DELIVER, context->now_us + faults_delivery_delay_us(&context->sandbox->faults),
            task);
}

static void begin_one(const struct context *context, const char *endpoint_id, const char *event_id)
{
    add_job(context, endpoint_id, event_id, true);
    if (faults_roll(&context->sandbox->faults, context->sandbox->faults.duplicate_events_rate)) {
        add_job(context, endpoint_id, event_id, false);
    }
}

void deliveries_begin(const struct context *context, const char *type, const char *event_id)
{
    (void)each_wanting(context, type, event_id, begin_one);
}

static const char *sign(const struct context *context, const char *secret, const char *body,
                        size_t body_bytes)
{
    const char *time = arena_printf(context->arena, "%lld", (long long)context_seconds(context));
    struct crypto_part parts[] = {{time, strlen(time)}, {".", 1}, {body, body_bytes}};
    uint8_t mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    crypto_hmac(secret, strlen(secret), parts, COUNT_OF(parts), mac);
    text_hex(mac, sizeof(mac), hex);
    return arena_printf(context->arena, "t=%s,v1=%s", time, hex);
}

bool delivery_prepare(const struct context *context, struct document *job, struct sandbox_delivery *delivery)
{
    struct document endpoint DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    const struct object *event =
        object_find(context->account, OBJECT_EVENT, json_get_str(job->json, "event"));
    // An endpoint that was removed or disabled meanwhile gets no more attempts.
    if (event == NULL ||
        !document_open(context, OBJECT_ENDPOINT, json_get_str(job->json, "endpoint"), &endpoint) ||
        !text_equal(json_get_str(endpoint.json, "status"), "enabled")) {
        object_remove(context->sandbox, context->account, job->object);
        return false;
    }
    const char *body = arena_strdup(context->arena, event->text);
    *delivery = (struct sandbox_delivery){
        .account_id = context->account->id,
        .job_id = arena_strdup(context->arena, json_get_str(job->json, "id")),
        .url = arena_strdup(context->arena, json_get_str(endpoint.json, "url")),
        .signature = sign(context, json_get_str(endpoint.hidden, "secret"), body, strlen(body)),
        .body = body,
        .body_bytes = strlen(body),
    };
    return true;
}

// One endpoint fewer is waiting for the event. A duplicate was never counted.
static void count_accepted(const struct context *context, const struct document *job)
{
    struct document event DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!json_get_bool(job->json, "duplicate", false) &&
        document_open(context, OBJECT_EVENT, json_get_str(job->json, "event"), &event)) {
        json_add_i64(event.json, "pending_webhooks", json_get_i64(event.json, "pending_webhooks", 1) - 1);
        document_save(&event);
    }
}

void sandbox_delivery_done(struct sandbox *sandbox, int64_t now_us, const char *account_id,
                           const char *job_id, bool accepted)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct context context = {
        .sandbox = sandbox, .account = account_of_id(sandbox, account_id), .now_us = now_us, .arena = &arena};
    struct document job DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (context.account == NULL || !document_open(&context, OBJECT_JOB, job_id, &job)) {
        return;
    }
    int64_t attempts = json_get_i64(job.json, "attempts", 0);
    if (accepted) {
        count_accepted(&context, &job);
    }
    if (accepted || attempts >= (int64_t)COUNT_OF(retry_delays_us)) {
        object_remove(sandbox, context.account, job.object);
        return;
    }
    json_add_i64(job.json, "attempts", attempts + 1);
    job_postpone(&context, &job, now_us + retry_delays_us[attempts]);
}
