// See fake_stripe.h.
#include "fake_stripe.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "fake_server.h"
#include "net/form.h"
#include "sandbox/sandbox.h"
#include "service.h"
#include "stripe_faults.h"
#include "world.h"

static struct sandbox *sandbox;

static int64_t true_us(void)
{
    return WORLD_START_US + world.now_us;
}

// --- Stripe's events to the service

struct event {
    struct arena arena;
    struct sandbox_delivery delivery;
    bool is_duplicate;
};

static void send_due_events(void *context);

static void schedule_next_event(void)
{
    int64_t due_us = sandbox_next_due_us(sandbox);
    if (due_us != INT64_MAX) {
        world_after(due_us > true_us() ? due_us - true_us() : 0, send_due_events, NULL);
    }
}

static void answered(void *context, const struct fake_server_answer *answer)
{
    struct event *event = context;
    bool accepted = answer->status >= 200 && answer->status < 300 && !fault_one_in(30);
    if (!event->is_duplicate) {
        sandbox_delivery_done(sandbox, true_us(), event->delivery.account_id, event->delivery.job_id,
                              accepted);
        schedule_next_event();
    }
}

static void arrive(void *context)
{
    struct event *event = context;
    const struct http_header headers[] = {{"Stripe-Signature", event->delivery.signature},
                                          {"Content-Type", "application/json; charset=utf-8"}};
    struct fake_server_request request = {
        .method = "POST",
        .path = strstr(event->delivery.url, "/v1/"),
        .headers = headers,
        .header_count = COUNT_OF(headers),
        .body = event->delivery.body,
        .answered = answered,
        .context = event,
    };
    world.counts.provider_events++;
    fake_server_send(&request);
}

static void lose_event(void *context)
{
    answered(context, &(const struct fake_server_answer){.status = 0});
}

static void send_event(struct event *event)
{
    if (fault_one_in(12)) {
        world.counts.events_lost++;
        world_after(random_between(0, 10 * US_PER_S), lose_event, event);
        return;
    }
    if (fault_one_in(20)) {
        struct event *duplicate = calloc(1, sizeof(*duplicate));
        REQUIRE(duplicate != NULL);
        *duplicate = *event; // its text belongs to the first
        duplicate->is_duplicate = true;
        world_after(random_between(0, 60 * US_PER_S), arrive, duplicate);
    }
    int64_t way_us = fault_one_in(10) ? random_between(0, 120 * US_PER_S) : random_between(500, 500000);
    world_after(way_us, arrive, event);
}

static void send_due_events(void *context)
{
    (void)context;
    for (;;) {
        struct event *event = calloc(1, sizeof(*event));
        REQUIRE(event != NULL);
        if (!sandbox_next_delivery(sandbox, true_us(), &event->arena, &event->delivery)) {
            free(event);
            break;
        }
        const char *body = stripe_faults_strip_refunds(event->delivery.body, &event->arena);
        if (body != event->delivery.body) {
            event->delivery.signature = stripe_faults_sign(event->delivery.signature, body, &event->arena);
            event->delivery.body = body;
            event->delivery.body_bytes = strlen(body);
        }
        send_event(event);
    }
    schedule_next_event();
}

// --- Stripe's API

static int64_t handle(const struct sandbox_request *request, struct arena *arena, struct stripe_reply *reply)
{
    struct sandbox_response response = {.arena = arena};
    sandbox_handle(sandbox, true_us(), request, &response);
    struct http_header *headers = arena_alloc(arena, SANDBOX_HEADERS_MAX * sizeof(*headers));
    for (size_t i = 0; i < response.header_count; i++) {
        headers[i] = (struct http_header){response.headers[i].name, response.headers[i].value};
    }
    *reply = (struct stripe_reply){
        .status = response.status,
        .headers = headers,
        .header_count = response.header_count,
        .body = response.body,
    };
    schedule_next_event();
    return response.delay_us;
}

int64_t fake_stripe_handle(const struct stripe_request *request, struct arena *arena,
                           struct stripe_reply *reply)
{
    size_t path_bytes = strcspn(request->target, "?");
    struct sandbox_request call = {
        .method = request->method,
        .path = arena_strndup(arena, request->target, path_bytes),
        .query = request->target[path_bytes] == '?' ? request->target + path_bytes + 1 : "",
        .body = request->body != NULL ? request->body : "",
        .body_bytes = request->body != NULL ? strlen(request->body) : 0,
        .authorization = request->authorization,
        .stripe_version = request->version,
        .idempotency_key = request->idempotency_key,
        .base_url = STRIPE_BASE,
    };
    static struct http_header replayed[] = {{"Idempotent-Replayed", "true"}};
    enum stored_fault fault =
        stripe_faults_stored(request->method, request->target, request->idempotency_key);
    int64_t delay_us = 0;
    if (fault == FAULT_NONE || fault == FAULT_STORED_AFTER_EFFECT) {
        delay_us = handle(&call, arena, reply);
    }
    if (fault == FAULT_NONE) {
        reply->body = stripe_faults_strip_refunds(reply->body, arena);
    } else {
        *reply = (struct stripe_reply){
            .status = 500,
            .headers = replayed,
            .header_count = fault == FAULT_REPLAYED ? 1 : 0,
            .body = "{\"error\":{\"type\":\"api_error\",\"message\":\"made on purpose, and stored\"}}",
        };
    }
    note("stripe: %s %s %s -> %d", request->method, request->target,
         request->idempotency_key != NULL ? request->idempotency_key : "", reply->status);
    return delay_us;
}

void fake_stripe_check_window(const char *method, const char *target, const char *idempotency_key)
{
    struct uuid id = {{0}};
    if (!text_equal(method, "POST") || !text_equal(target, "/v1/payment_intents") ||
        !uuid_parse(idempotency_key + strlen("pay_"), &id)) {
        return;
    }
    int64_t created_ms = 0; // the time in a payment's id (UUIDv7)
    for (int i = 0; i < 6; i++) {
        created_ms = created_ms << 8 | id.bytes[i];
    }
    int64_t age_us = service_wall_us() - created_ms * US_PER_MS;
    if (age_us > service.charge_window_us + US_PER_MS) {
        violation("%s is charged %lld s after its creation", idempotency_key, (long long)(age_us / US_PER_S));
    }
}

static struct stripe_reply call_api(struct arena *arena, int merchant, const char *method, const char *path,
                                    const char *query, const char *form)
{
    struct stripe_reply reply = {0};
    const struct sandbox_request request = {
        .method = method,
        .path = path,
        .query = query,
        .body = form,
        .body_bytes = strlen(form),
        .authorization = arena_printf(arena, "Bearer %s", service.merchants[merchant].stripe_key),
        .base_url = STRIPE_BASE,
    };
    (void)handle(&request, arena, &reply);
    return reply;
}

bool fake_stripe_dashboard_refund(int merchant, const char *intent_id, int64_t amount_minor)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct buf form BUF_CLEANUP = BUF_MAX(1024);
    form_add(&form, "payment_intent", intent_id);
    form_add_i64(&form, "amount", amount_minor);
    struct stripe_reply reply = call_api(&arena, merchant, "POST", "/v1/refunds", "", buf_str(&form));
    note("dashboard: refunds %lld of %s -> %d", (long long)amount_minor, intent_id, reply.status);
    return reply.status == 200;
}

bool fake_stripe_refund_failed(int merchant, const char *intent_id)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct buf form BUF_CLEANUP = BUF_MAX(1024);
    form_add(&form, "payment_intent", intent_id);
    struct stripe_reply reply = call_api(&arena, merchant, "GET", "/v1/refunds", buf_str(&form), "");
    return strstr(reply.body, "\"failed\"") != NULL;
}

bool fake_stripe_visit_page(const char *page_url, bool completes)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char *path = page_url + strlen(STRIPE_BASE);
    size_t path_bytes = strcspn(path, "?");
    const char *query = path[path_bytes] == '?' ? path + path_bytes + 1 : "";
    struct stripe_reply reply = call_api(&arena, 0, "POST", arena_strndup(&arena, path, path_bytes), query,
                                         completes ? "action=complete" : "action=fail");
    note("payer: %s -> %d", completes ? "completes" : "fails", reply.status);
    for (size_t i = 0; i < reply.header_count; i++) {
        if (text_equal(reply.headers[i].name, "Location")) {
            return strstr(reply.headers[i].value, "redirect_status=succeeded") != NULL;
        }
    }
    return false;
}

struct json_object *fake_stripe_get(int merchant, const char *path, const char *query)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct json_object *object = NULL;
    struct stripe_reply reply = call_api(&arena, merchant, "GET", path, query, "");
    REQUIRE(reply.status == 200);
    REQUIRE(json_parse_bounded(reply.body, strlen(reply.body), 10000000, &object, NULL) == OK);
    return object;
}

void fake_stripe_delete_customers(int merchant, const char *email)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct json_object *list JSON_CLEANUP = fake_stripe_get(merchant, "/v1/customers", "limit=100");
    struct json_object *customers = json_get(list, "data");
    for (size_t i = 0; i < json_object_array_length(customers); i++) {
        struct json_object *customer = json_object_array_get_idx(customers, i);
        if (text_equal(json_get_str(customer, "email"), email)) {
            const char *id = json_get_str(customer, "id");
            struct stripe_reply reply =
                call_api(&arena, merchant, "DELETE", arena_printf(&arena, "/v1/customers/%s", id), "", "");
            note("dashboard: deletes customer %s -> %d", id, reply.status);
        }
    }
}

struct json_object *fake_stripe_ledger(void)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct json_object *ledger = NULL;
    struct stripe_reply reply = {0};
    const struct sandbox_request request = {
        .method = "GET", .path = "/_sandbox/ledger", .query = "", .body = "", .base_url = STRIPE_BASE};
    (void)handle(&request, &arena, &reply);
    REQUIRE(json_parse_bounded(reply.body, strlen(reply.body), 10000000, &ledger, NULL) == OK);
    return ledger;
}

void fake_stripe_start(void)
{
    sandbox = sandbox_new(&world.random);
    for (int i = 0; i < SERVICE_MERCHANTS; i++) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        struct buf form BUF_CLEANUP = BUF_MAX(1024);
        form_add(&form, "url",
                 random_below(2) == 0 ? "https://service.sim/v1/webhooks/stripe"
                                      : arena_printf(&arena, "https://service.sim/v1/webhooks/stripe/%s",
                                                     service.merchants[i].id));
        form_add(&form, "enabled_events[]", "*");
        form_add(&form, "secret", STRIPE_WEBHOOK_SECRET);
        struct stripe_reply reply = call_api(&arena, i, "POST", "/v1/webhook_endpoints", "", buf_str(&form));
        REQUIRE(reply.status == 200);
    }
}
