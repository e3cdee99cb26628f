// The sandbox over HTTP: receives requests, sends answers and events. Late answers wait in one list with one
// timer. Loop thread. What is answered is decided by sandbox_handle.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/require.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/uv_loop.h"
#include "sandbox/persist.h"
#include "sandbox/sandbox.h"
#include "sandbox/sender.h"

#define BODY_BYTES_MAX ((size_t)1 << 20)
#define CONNECTIONS_MAX 4096
#define IDLE_TIMEOUT_S 75
#define REQUEST_TIMEOUT_S 60
#define HEAD_BYTES_MAX ((size_t)15 << 10)
#define HOST_CHARS_MAX 255
#define SENDER_CONNECTIONS_MAX 64

struct face {
    struct sandbox *sandbox;
    struct persist persist;
    struct sender sender;
    struct uv_service_loop *service;
    struct loop *loop;
    struct http_client *client;
    struct http_server *server;
    const char *own_url;
    struct list parked; // of struct parked, soonest first
    struct timer timer;
    bool stopping;
};

// An answer that is not due yet. In the exchange's arena.
struct parked {
    struct list link;
    struct http_exchange *exchange;
    struct sandbox_response response;
    int64_t due_us; // monotonic
};

static void send_response(struct http_exchange *exchange, const struct sandbox_response *response)
{
    if (response->drop) {
        http_exchange_drop(exchange);
        return;
    }
    http_exchange_reply(exchange, &(struct http_reply){.status = response->status,
                                                       .content_type = response->content_type,
                                                       .headers = response->headers,
                                                       .header_count = response->header_count,
                                                       .body = response->body,
                                                       .body_bytes = response->body_bytes});
}

static void send_due(struct face *face, int64_t now_us)
{
    while (!list_empty(&face->parked)) {
        struct parked *first = CONTAINER_OF(face->parked.next, struct parked, link);
        if (first->due_us > now_us) {
            timer_start(face->loop, &face->timer, first->due_us - now_us);
            return;
        }
        list_remove(&first->link);
        send_response(first->exchange, &first->response);
    }
}

static void on_timer(struct timer *timer)
{
    struct face *face = CONTAINER_OF(timer, struct face, timer);
    send_due(face, loop_mono_us(face->loop));
}

static void park(struct face *face, struct http_exchange *exchange, const struct sandbox_response *response)
{
    struct parked *parked = ARENA_NEW(&exchange->arena, struct parked);
    parked->exchange = exchange;
    parked->response = *response;
    parked->due_us = loop_mono_us(face->loop) + response->delay_us;
    struct list *before = face->parked.prev;
    while (before != &face->parked && CONTAINER_OF(before, struct parked, link)->due_us > parked->due_us) {
        before = before->prev;
    }
    parked->link = (struct list){.prev = before, .next = before->next};
    before->next->prev = &parked->link;
    before->next = &parked->link;
    send_due(face, loop_mono_us(face->loop));
}

// The URL at which the caller reached the sandbox, for links to its pages: the Host header if it is well
// formed, otherwise the address that the sandbox listens on.
static const char *base_url(struct face *face, struct http_exchange *exchange)
{
    static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_:[]";
    const char *host = http_exchange_header(exchange, "Host", NULL);
    bool sane = host != NULL && host[0] != '\0' && strlen(host) <= HOST_CHARS_MAX &&
                host[strspn(host, allowed)] == '\0';
    return sane ? arena_printf(&exchange->arena, "http://%s", host) : face->own_url;
}

static void on_head(struct http_exchange *exchange, void *context)
{
    (void)context;
    exchange->body_bytes_max = BODY_BYTES_MAX;
}

static void on_request(struct http_exchange *exchange, void *context)
{
    struct face *face = context;
    const struct sandbox_request request = {
        .method = exchange->method,
        .path = exchange->path,
        .query = exchange->query,
        .body = buf_str(&exchange->body),
        .body_bytes = exchange->body.len,
        .authorization = http_exchange_header(exchange, "Authorization", NULL),
        .stripe_version = http_exchange_header(exchange, "Stripe-Version", NULL),
        .idempotency_key = http_exchange_header(exchange, "Idempotency-Key", NULL),
        .base_url = base_url(face, exchange),
    };
    struct sandbox_response response = {.arena = &exchange->arena};
    sandbox_handle(face->sandbox, loop_wall_us(face->loop), &request, &response);
    sender_run(&face->sender); // also writes the journal, before the answer is sent
    if (response.delay_us > 0 && !face->stopping) {
        park(face, exchange, &response);
    } else {
        send_response(exchange, &response);
    }
}

static void on_too_large(struct http_exchange *exchange, void *context)
{
    (void)context;
    static const char body[] =
        "{\"error\":{\"message\":\"The request is too large.\",\"type\":\"invalid_request_error\"}}";
    http_exchange_reply(exchange, &(struct http_reply){.status = 413,
                                                       .content_type = "application/json",
                                                       .body = body,
                                                       .body_bytes = sizeof(body) - 1});
}

// The last exchange of a stopping sandbox ends it.
static void on_end(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    struct face *face = context;
    if (face->stopping && http_server_exchanges(face->server) <= 1) {
        uv_service_loop_stop(face->service);
    }
}

static void on_signal(int signal_number, void *context)
{
    (void)signal_number;
    struct face *face = context;
    face->stopping = true;
    sender_close(&face->sender);
    http_server_drain(face->server);
    timer_stop(face->loop, &face->timer);
    send_due(face, INT64_MAX); // late answers are sent now
    if (http_server_exchanges(face->server) == 0) {
        uv_service_loop_stop(face->service);
    }
}

static enum errc open_server(struct face *face, const struct sandbox_options *options, struct err *err)
{
    const struct http_server_options server = {
        .listen = options->listen,
        .connections_max = CONNECTIONS_MAX,
        .idle_timeout_s = IDLE_TIMEOUT_S,
        .request_timeout_s = REQUEST_TIMEOUT_S,
        .head_bytes_max = HEAD_BYTES_MAX,
        .on_head = on_head,
        .on_request = on_request,
        .on_too_large = on_too_large,
        .on_end = on_end,
        .context = face,
    };
    return http_server_open(face->service, &server, &face->server, err);
}

static void face_close(struct face *face)
{
    if (face->server != NULL) {
        http_server_close(face->server);
    }
    if (face->client != NULL) {
        sender_close(&face->sender);
        http_client_close(face->client);
        persist_flush(&face->persist, face->sandbox);
    }
    if (face->service != NULL) {
        uv_service_loop_close(face->service);
    }
    persist_close(&face->persist);
    sandbox_free(face->sandbox);
}

static enum errc face_open(struct face *face, const struct sandbox_options *options, struct err *err)
{
    enum errc rc = persist_open(&face->persist, face->sandbox, options->data_file, err);
    if (rc != OK) {
        return rc;
    }
    rc = uv_service_loop_open(&face->service, err);
    if (rc != OK) {
        return rc;
    }
    face->loop = uv_service_loop_base(face->service);
    const struct http_client_options client = {.user_agent = "Stripe/1.0 (paymentsd sandbox)",
                                               .connections_max = SENDER_CONNECTIONS_MAX,
                                               .host_connections_max = SENDER_CONNECTIONS_MAX};
    rc = http_client_curl_open(face->service, &client, &face->client, err);
    if (rc != OK) {
        return rc;
    }
    sender_open(&face->sender, face->sandbox, &face->persist, face->loop, face->client);
    return open_server(face, options, err);
}

enum errc sandbox_run(const struct sandbox_options *options, struct err *err)
{
    __attribute__((cleanup(face_close))) struct face face = {.sandbox = sandbox_new(&random_system),
                                                             .persist = {.fd = -1}};
    list_init(&face.parked);
    timer_init(&face.timer, on_timer);
    enum errc rc = face_open(&face, options, err);
    if (rc != OK) {
        return rc;
    }
    // The host is as configured, the port as assigned.
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char *colon = strrchr(options->listen, ':');
    face.own_url = arena_printf(&arena, "http://%.*s:%u", colon == NULL ? 0 : (int)(colon - options->listen),
                                options->listen, (unsigned)http_server_port(face.server));
    uv_service_loop_on_signal(face.service, SIGTERM, on_signal, &face);
    uv_service_loop_on_signal(face.service, SIGINT, on_signal, &face);
    (void)printf("sandbox listening on %s\n", face.own_url);
    (void)fflush(stdout);
    sender_run(&face.sender); // jobs that an earlier run left
    uv_service_loop_run(face.service);
    return OK;
}
