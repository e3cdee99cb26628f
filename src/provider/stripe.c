// Stripe's calls over HTTP: which method, path and headers each verb has. Every POST carries an idempotency
// key and the exact body it was given, so that sending it again is safe. What an answer means is
// stripe_answer.c's. Loop thread.
#include "provider/stripe.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "net/form.h"
#include "provider/stripe_answer.h"

// A PaymentIntent is 3 to 5 kB; a page of a hundred stays well below.
#define RESPONSE_BYTES_MAX (2 * 1024 * 1024)
#define LIST_PAGE "100"

struct stripe {
    struct provider base;
    struct stripe_options options;
    int base_length; // of api_base, without a slash at its end
};

static const char *list_path(const struct provider_call *call)
{
    struct buf query BUF_CLEANUP = BUF_MAX(1024);
    form_add(&query, "limit", LIST_PAGE);
    form_add_i64(&query, "created[gte]", call->created_from_s);
    form_add_i64(&query, "created[lte]", call->created_until_s);
    if (call->page != NULL) {
        form_add(&query, "starting_after", call->page);
    }
    return arena_printf(call->arena, "/v1/payment_intents?%s", buf_str(&query));
}

// An id goes into a path: only what Stripe's ids are made of may reach it.
static const char *path_id(const struct provider_call *call)
{
    REQUIRE(call->ref != NULL);
    struct buf escaped BUF_CLEANUP = BUF_MAX(1024);
    form_add(&escaped, "", call->ref);
    return arena_strdup(call->arena, buf_str(&escaped) + 1); // behind the '=' of the empty name
}

static const char *call_path(const struct provider_call *call)
{
    switch (call->verb) {
    case PROVIDER_CHARGE:
        return "/v1/payment_intents";
    case PROVIDER_RETRIEVE:
        return arena_printf(call->arena, "/v1/payment_intents/%s", path_id(call));
    case PROVIDER_LIST:
        return list_path(call);
    case PROVIDER_CANCEL:
        return arena_printf(call->arena, "/v1/payment_intents/%s/cancel", path_id(call));
    }
    REQUIRE(false); // every verb has a path
    return NULL;
}

static void http_done(struct http_call *http)
{
    struct provider_call *call = CONTAINER_OF(http, struct provider_call, http);
    stripe_answer_read(call);
    http_call_release(http);
    call->done(call);
}

static void stripe_send(struct provider *provider, struct provider_call *call)
{
    struct stripe *stripe = (struct stripe *)provider;
    bool post = call->verb == PROVIDER_CHARGE || call->verb == PROVIDER_CANCEL;
    size_t count = 0;
    call->headers[count++] =
        (struct http_header){"Authorization", arena_printf(call->arena, "Bearer %s", call->secret_key.data)};
    call->headers[count++] = (struct http_header){"Stripe-Version", STRIPE_VERSION};
    call->headers[count++] = (struct http_header){"Accept", "application/json"};
    if (post) {
        REQUIRE(call->idempotency_key != NULL);
        call->headers[count++] =
            (struct http_header){"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"};
        call->headers[count++] = (struct http_header){"Idempotency-Key", call->idempotency_key};
    }
    const char *body = post ? (call->body != NULL ? call->body : "") : NULL;
    call->http = (struct http_call){
        .method = post ? "POST" : "GET",
        .url = arena_printf(call->arena, "%.*s%s", stripe->base_length, stripe->options.api_base,
                            call_path(call)),
        .headers = call->headers,
        .header_count = count,
        .body = body,
        .body_bytes = body != NULL ? strlen(body) : 0,
        .timeout_ms = stripe->options.timeout_ms,
        .response_bytes_max = RESPONSE_BYTES_MAX,
        .done = http_done,
    };
    http_client_send(stripe->options.client, &call->http);
}

static const struct provider_ops stripe_ops = {.send = stripe_send, .charge_body = stripe_charge_body};

struct provider *stripe_open(const struct stripe_options *options)
{
    struct stripe *stripe = calloc(1, sizeof(*stripe));
    REQUIRE(stripe != NULL);
    stripe->base.ops = &stripe_ops;
    stripe->options = *options;
    stripe->base_length = (int)strlen(options->api_base);
    while (stripe->base_length > 0 && options->api_base[stripe->base_length - 1] == '/') {
        stripe->base_length--;
    }
    return &stripe->base;
}

void stripe_close(struct provider *provider)
{
    free(provider);
}
