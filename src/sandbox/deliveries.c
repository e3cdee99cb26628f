// Deliveries of events. Pure: sender.c sends. See deliveries.h.
// Signature: https://docs.stripe.com/webhooks/signatures (t, and HMAC-SHA256 over t "." body, keyed with the
// whole secret text).
#include "sandbox/deliveries.h"

#include <string.h>

#include "base/crypto.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/scheduled_jobs.h"

// The delay after each failed attempt. Stripe waits for hours in test mode; people watch a sandbox.
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

// The next endpoint after this place in the account's list that wants the type; NULL: none.
static const struct object *next_wanting(const struct context *context, const char *type,
                                         const struct list *place)
{
    const struct list *head = &context->account->sets[OBJECT_ENDPOINT].in_order;
    for (const struct list *link = place->next; link != head; link = link->next) {
        struct document endpoint DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
        const struct object *object = CONTAINER_OF(link, struct object, link);
        if (document_open(context, OBJECT_ENDPOINT, object->id, &endpoint) && wants(&endpoint, type)) {
            return object;
        }
    }
    return NULL;
}

int64_t deliveries_wanting(const struct context *context, const char *type)
{
    int64_t count = 0;
    const struct list *head = &context->account->sets[OBJECT_ENDPOINT].in_order;
    for (const struct object *endpoint = next_wanting(context, type, head); endpoint != NULL;
         endpoint = next_wanting(context, type, &endpoint->link)) {
        count++;
    }
    return count;
}

static void add_job(const struct context *context, const char *endpoint_id, const char *event_id,
                    bool is_duplicate)
{
    struct json_object *task = json_new_object();
    json_add_str(task, "event", event_id);
    json_add_str(task, "endpoint", endpoint_id);
    json_add_i64(task, "attempts", 0);
    json_add_bool(task, "duplicate", is_duplicate);
    job_add(context, JOB_DELIVER, context->now_us + faults_delivery_delay_us(&context->sandbox->faults),
            task);
}

void deliveries_begin(const struct context *context, const char *type, const char *event_id)
{
    struct faults *faults = &context->sandbox->faults;
    const struct list *head = &context->account->sets[OBJECT_ENDPOINT].in_order;
    for (const struct object *endpoint = next_wanting(context, type, head); endpoint != NULL;
         endpoint = next_wanting(context, type, &endpoint->link)) {
        add_job(context, endpoint->id, event_id, false);
        if (faults_roll(faults, faults->duplicate_events_rate)) {
            add_job(context, endpoint->id, event_id, true);
        }
    }
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
    // An endpoint that was removed or disabled in the meantime gets no more attempts.
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
    // One endpoint fewer waits for the event. A duplicate was never counted.
    struct document event DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (accepted && !json_get_bool(job.json, "duplicate", false) &&
        document_open(&context, OBJECT_EVENT, json_get_str(job.json, "event"), &event)) {
        json_add_i64(event.json, "pending_webhooks", json_get_i64(event.json, "pending_webhooks", 1) - 1);
        document_save(&event);
    }
    if (accepted || attempts >= (int64_t)COUNT_OF(retry_delays_us)) {
        object_remove(sandbox, context.account, job.object);
        return;
    }
    json_add_i64(job.json, "attempts", attempts + 1);
    job_postpone(&context, &job, now_us + retry_delays_us[attempts]);
}
