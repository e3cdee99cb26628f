// Stripe's calls over HTTP: which method, path and headers each verb has. Every POST carries an idempotency
// key and the exact body it was given, so that sending it again is safe. What an answer means is
// answer.c's. Loop thread.
#include "provider/stripe/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "net/form.h"
#include "provider/stripe/answer.h"
#include "provider/stripe/event.h"
#include "provider/stripe/stripe.h"

// A PaymentIntent is 3 to 5 kB; a page of a hundred stays well below. An event holds any object of the
// account's whole, with up to 27 kB of metadata.
#define RESPONSE_BYTES_MAX (2 * 1024 * 1024)
#define EVENTS_BYTES_MAX (8 * 1024 * 1024)

struct stripe {
    struct provider base;
    struct stripe_options options;
    int base_length; // of api_base, without a slash at its end
};

// A call under way. Thousands may be, so it takes just the memory that it needs.
struct stripe_call {
    struct provider_call *call;
    struct http_call http;
    struct http_header headers[5];
    size_t text_bytes;
    char text[]; // the header with the secret key, and the URL
};

// Each verb's place in Stripe's API; %s is what it is about.
static const struct {
    bool post;
    const char *path;
} places[PROVIDER_VERB_COUNT] = {
    [PROVIDER_CHARGE] = {true, "/v1/payment_intents"},
    [PROVIDER_RETRIEVE] = {false, "/v1/payment_intents/%s"},
    [PROVIDER_PAID_METHOD] = {false, "/v1/payment_intents/%s?expand%5B%5D=payment_method"},
    [PROVIDER_LIST] = {false, "/v1/payment_intents?"},
    [PROVIDER_CONFIRM] = {true, "/v1/payment_intents/%s/confirm"},
    [PROVIDER_CANCEL] = {true, "/v1/payment_intents/%s/cancel"},
    [PROVIDER_CAPTURE] = {true, "/v1/payment_intents/%s/capture"},
    [PROVIDER_REFUND] = {true, "/v1/refunds"},
    [PROVIDER_REFUND_RETRIEVE] = {false, "/v1/refunds/%s"},
    [PROVIDER_REFUND_LIST] = {false, "/v1/refunds?"},
    [PROVIDER_PAYMENTS_SINCE] = {false, "/v1/payment_intents?"},
    [PROVIDER_REFUNDS_SINCE] = {false, "/v1/refunds?"},
    [PROVIDER_CUSTOMER] = {true, "/v1/customers"},
    [PROVIDER_CUSTOMER_LIST] = {false, "/v1/customers?"},
    [PROVIDER_ATTACH] = {true, "/v1/payment_methods/%s/attach"},
    [PROVIDER_DETACH] = {true, "/v1/payment_methods/%s/detach"},
    [PROVIDER_METHOD_RETRIEVE] = {false, "/v1/payment_methods/%s"},
    [PROVIDER_SETUP] = {true, "/v1/setup_intents"},
    [PROVIDER_SETUP_RETRIEVE] = {false, "/v1/setup_intents/%s?expand%5B%5D=payment_method"},
    [PROVIDER_SETUP_LIST] = {false, "/v1/setup_intents?"},
    [PROVIDER_SETUP_CANCEL] = {true, "/v1/setup_intents/%s/cancel"},
    [PROVIDER_EVENTS] = {false, "/v1/events?"},
};

static void add_list_query(struct buf *query, const struct provider_call *call)
{
    form_add_i64(query, "limit", call->page_items);
    if (call->verb == PROVIDER_REFUND_LIST) {
        form_add(query, "payment_intent", call->ref);
    } else if (call->verb == PROVIDER_SETUP_LIST) {
        form_add(query, "customer", call->ref);
    } else {
        form_add_i64(query, "created[gte]", call->created_from_s);
    }
    if (call->verb == PROVIDER_CUSTOMER_LIST && call->ref != NULL) {
        form_add(query, "email", call->ref);
    }
    if (call->created_until_s != 0) {
        form_add_i64(query, "created[lt]", call->created_until_s);
    }
    if (call->verb == PROVIDER_EVENTS) {
        stripe_event_add_types(query);
    }
    if (call->page != NULL) {
        form_add(query, "starting_after", call->page);
    }
}

// An id goes into a path escaped, whatever it is made of.
static const char *call_path(const struct provider_call *call)
{
    const char *path = places[call->verb].path;
    const char *hole = strstr(path, "%s");
    struct buf text BUF_CLEANUP = BUF_MAX(4096);
    if (text_ends_with(path, "?")) {
        add_list_query(&text, call);
        return arena_printf(call->arena, "%s%s", path, buf_str(&text));
    }
    if (hole == NULL) {
        return path;
    }
    REQUIRE(call->ref != NULL);
    form_add(&text, "", call->ref);
    const char *escaped = buf_str(&text) + 1; // after the '=' of the empty name
    return arena_printf(call->arena, "%.*s%s%s", (int)(hole - path), path, escaped, hole + 2);
}

static void http_done(struct http_call *http)
{
    struct stripe_call *sent = CONTAINER_OF(http, struct stripe_call, http);
    struct provider_call *call = sent->call;
    stripe_answer_read(call, http);
    http_call_release(http);
    explicit_bzero(sent->text, sent->text_bytes);
    free(sent);
    call->done(call);
}

static struct stripe_call *call_new(const struct stripe *stripe, const char *secret_key, const char *path)
{
    static const char scheme[] = "Bearer ";
    size_t header_bytes = strlen(scheme) + strlen(secret_key) + 1;
    size_t url_bytes = (size_t)stripe->base_length + strlen(path) + 1;
    struct stripe_call *sent = calloc(1, sizeof(*sent) + header_bytes + url_bytes);
    REQUIRE(sent != NULL);
    sent->text_bytes = header_bytes + url_bytes;
    char *url = sent->text + header_bytes;
    (void)snprintf(sent->text, header_bytes, "%s%s", scheme, secret_key);
    (void)snprintf(url, url_bytes, "%.*s%s", stripe->base_length, stripe->options.api_base, path);
    sent->http.url = url;
    return sent;
}

void stripe_send(struct provider *provider, struct provider_call *call)
{
    struct stripe *stripe = (struct stripe *)provider;
    struct stripe_call *sent = call_new(stripe, call->secret_key.data, call_path(call));
    bool post = places[call->verb].post;
    size_t count = 0;
    sent->headers[count++] = (struct http_header){"authorization", sent->text};
    sent->headers[count++] = (struct http_header){"stripe-version", STRIPE_VERSION};
    sent->headers[count++] = (struct http_header){"accept", "application/json"};
    if (post) {
        REQUIRE(call->idempotency_key != NULL);
        sent->headers[count++] =
            (struct http_header){"content-type", "application/x-www-form-urlencoded; charset=utf-8"};
        sent->headers[count++] = (struct http_header){"idempotency-key", call->idempotency_key};
    }
    const char *body = post ? (call->body != NULL ? call->body : "") : NULL;
    sent->call = call;
    call->transport = sent;
    sent->http = (struct http_call){
        .method = post ? "POST" : "GET",
        .url = sent->http.url,
        .headers = sent->headers,
        .header_count = count,
        .body = body,
        .body_bytes = body != NULL ? strlen(body) : 0,
        .timeout_ms = stripe->options.timeout_ms,
        .send_before_us = call->send_before_us,
        .response_bytes_max = call->verb == PROVIDER_EVENTS ? EVENTS_BYTES_MAX : RESPONSE_BYTES_MAX,
        .done = http_done,
    };
    http_client_send(stripe->options.client, &sent->http);
}

void stripe_abandon_call(struct provider *provider, struct provider_call *call)
{
    (void)provider;
    struct stripe_call *sent = call->transport;
    http_call_abandon(&sent->http);
}

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
