// An HTTP client without a network: endpoints found by the start of their URL, each with an answer that the
// test can change, and a record of every request. A hanging endpoint ends with its call's time-out.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_loop.h"

#include "net/http_client.h"

#define ENDPOINTS_MAX 8
#define REQUESTS_MAX 4096
#define STATUS_HANGS (-1)
#define STATUS_FORBIDDEN (-2)
#define STATUS_TOO_LARGE_200 (-3)

struct endpoint {
    const char *url;
    int status;
    const char *retry_after;
};

struct request {
    int64_t mono_us;
    struct arena arena;
    const char *url;
    const char *body;
    struct http_header headers[16];
    size_t header_count;
};

struct fake_endpoints {
    struct http_client base;
    struct fake_loop *loop;
    struct endpoint endpoints[ENDPOINTS_MAX];
    struct request requests[REQUESTS_MAX];
    size_t request_count;
    size_t in_flight, in_flight_max;
    struct list exchanges;
};

struct exchange {
    struct list link;
    struct fake_endpoints *endpoints;
    struct http_call *call;
    const struct endpoint *endpoint;
    struct timer timer;
    struct task task;
};

static inline struct endpoint *endpoint_of(struct fake_endpoints *fake, const char *url)
{
    for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
        struct endpoint *endpoint = &fake->endpoints[i];
        if (endpoint->url && strncmp(url, endpoint->url, strlen(endpoint->url)) == 0) {
            return endpoint;
        }
    }
    require_failed("the URL has an endpoint", __FILE__, __LINE__);
}

static inline void note_request(struct fake_endpoints *fake, const struct http_call *call)
{
    REQUIRE(fake->request_count < REQUESTS_MAX && call->header_count <= 16);
    struct request *request = &fake->requests[fake->request_count++];
    *request = (struct request){.mono_us = fake->loop->mono_us, .header_count = call->header_count};
    request->url = arena_strdup(&request->arena, call->url);
    request->body = arena_strndup(&request->arena, call->body, call->body_bytes);
    for (size_t i = 0; i < call->header_count; i++) {
        request->headers[i].name = arena_strdup(&request->arena, call->headers[i].name);
        request->headers[i].value = arena_strdup(&request->arena, call->headers[i].value);
    }
}

static inline const char *request_header(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcmp(request->headers[i].name, name) == 0) {
            return request->headers[i].value;
        }
    }
    return NULL;
}

static inline void exchange_end(struct exchange *exchange, enum http_result result, int status)
{
    struct http_call *call = exchange->call;
    fake_timer_stop(&exchange->endpoints->loop->base, &exchange->timer);
    list_remove(&exchange->link);
    exchange->endpoints->in_flight--;
    call->result = result;
    call->status = status;
    if (exchange->endpoint->retry_after && result == HTTP_DONE) {
        const char *value = exchange->endpoint->retry_after;
        http_call_add_header(call, "retry-after", strlen("retry-after"), value, strlen(value));
    }
    if (result != HTTP_DONE) {
        snprintf(call->error, sizeof(call->error), "%s",
                 result == HTTP_CUT ? "it timed out" : "another failure");
    }
    free(exchange);
    call->done(call);
}

static inline void exchange_answer(struct task *task)
{
    struct exchange *exchange = CONTAINER_OF(task, struct exchange, task);
    int status = exchange->endpoint->status;
    if (status == STATUS_FORBIDDEN) {
        exchange_end(exchange, HTTP_FORBIDDEN, 0);
    } else if (status == STATUS_TOO_LARGE_200) {
        exchange_end(exchange, HTTP_TOO_LARGE, 200);
    } else {
        exchange_end(exchange, HTTP_DONE, status);
    }
}

static inline void exchange_time_out(struct timer *timer)
{
    exchange_end(CONTAINER_OF(timer, struct exchange, timer), HTTP_CUT, 0);
}

static inline void fake_endpoints_send(struct http_client *client, struct http_call *call)
{
    struct fake_endpoints *fake = CONTAINER_OF(client, struct fake_endpoints, base);
    REQUIRE(call->public_only && strcmp(call->method, "POST") == 0);
    note_request(fake, call);
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    REQUIRE(exchange);
    *exchange = (struct exchange){.endpoints = fake, .call = call, .endpoint = endpoint_of(fake, call->url)};
    timer_init(&exchange->timer, exchange_time_out);
    list_append(&fake->exchanges, &exchange->link);
    fake->in_flight++;
    fake->in_flight_max = fake->in_flight > fake->in_flight_max ? fake->in_flight : fake->in_flight_max;
    if (exchange->endpoint->status == STATUS_HANGS) {
        timer_start(&fake->loop->base, &exchange->timer, call->timeout_ms * 1000);
    } else {
        exchange->task.run = exchange_answer;
        loop_post(&fake->loop->base, &exchange->task);
    }
}

// Cuts what hangs, as the real client does when it closes.
static inline void fake_endpoints_cut(struct fake_endpoints *fake)
{
    while (!list_empty(&fake->exchanges)) {
        exchange_end(CONTAINER_OF(fake->exchanges.next, struct exchange, link), HTTP_CUT, 0);
    }
}

static const struct http_client_ops fake_endpoints_ops = {.send = fake_endpoints_send};

static inline void fake_endpoints_init(struct fake_endpoints *fake, struct fake_loop *loop)
{
    *fake = (struct fake_endpoints){.base = {&fake_endpoints_ops}, .loop = loop};
    list_init(&fake->exchanges);
}

static inline void fake_endpoints_release(struct fake_endpoints *fake)
{
    for (size_t i = 0; i < fake->request_count; i++) {
        arena_release(&fake->requests[i].arena);
    }
}
