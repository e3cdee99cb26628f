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
#define CONNECTIONS_MAX 16384
#define IDLE_TIMEOUT_S 75
#define REQUEST_TIMEOUT_S 60
#define HEAD_BYTES_MAX ((size_t)15 << 10)
#define HOST_CHARS_MAX 255
#define SENDER_CONNECTIONS_MAX 64

struct daemon {
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

static void send_due(struct daemon *daemon, int64_t now_us)
{
    while (!list_empty(&daemon->parked)) {
        struct parked *first = CONTAINER_OF(daemon->parked.next, struct parked, link);
        if (first->due_us > now_us) {
            timer_start(daemon->loop, &daemon->timer, first->due_us - now_us);
            return;
        }
        list_remove(&first->link);
        send_response(first->exchange, &first->response);
    }
}

static void on_timer(struct timer *timer)
{
    struct daemon *daemon = CONTAINER_OF(timer, struct daemon, timer);
    send_due(daemon, loop_mono_us(daemon->loop));
}

static void park(struct daemon *daemon, struct http_exchange *exchange,
                 const struct sandbox_response *response)
{
    struct parked *parked = ARENA_NEW(&exchange->arena, struct parked);
    parked->exchange = exchange;
    parked->response = *response;
    parked->due_us = loop_mono_us(daemon->loop) + response->delay_us;
    struct list *before = daemon->parked.prev;
    while (before != &daemon->parked && CONTAINER_OF(before, struct parked, link)->due_us > parked->due_us) {
        before = before->prev;
    }
    parked->link = (struct list){.prev = before, .next = before->next};
    before->next->prev = &parked->link;
    before->next = &parked->link;
    send_due(daemon, loop_mono_us(daemon->loop));
}

// The URL at which the caller reached the sandbox, for links to its pages: the Host header if it is well
// formed, otherwise the address that the sandbox listens on.
static const char *base_url(struct daemon *daemon, struct http_exchange *exchange)
{
    static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_:[]";
    const char *host = http_exchange_header(exchange, "Host", NULL);
    bool sane = host != NULL && host[0] != '\0' && strlen(host) <= HOST_CHARS_MAX &&
                host[strspn(host, allowed)] == '\0';
    return sane ? arena_printf(&exchange->arena, "http://%s", host) : daemon->own_url;
}

static void on_head(struct http_exchange *exchange, void *context)
{
    (void)context;
    exchange->body_bytes_max = BODY_BYTES_MAX;
}

static void on_request(struct http_exchange *exchange, void *context)
{
    struct daemon *daemon = context;
    const struct sandbox_request request = {
        .method = exchange->method,
        .path = exchange->path,
        .query = exchange->query,
        .body = buf_str(&exchange->body),
        .body_bytes = exchange->body.len,
        .authorization = http_exchange_header(exchange, "Authorization", NULL),
        .stripe_version = http_exchange_header(exchange, "Stripe-Version", NULL),
        .idempotency_key = http_exchange_header(exchange, "Idempotency-Key", NULL),
        .base_url = base_url(daemon, exchange),
    };
    struct sandbox_response response = {.arena = &exchange->arena};
    sandbox_handle(daemon->sandbox, loop_wall_us(daemon->loop), &request, &response);
    sender_run(&daemon->sender); // also writes the journal, before the answer is sent
    if (response.delay_us > 0 && !daemon->stopping) {
        park(daemon, exchange, &response);
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
    struct daemon *daemon = context;
    if (daemon->stopping && http_server_exchanges(daemon->server) <= 1) {
        uv_service_loop_stop(daemon->service);
    }
}

static void on_signal(int signal_number, void *context)
{
    (void)signal_number;
    struct daemon *daemon = context;
    daemon->stopping = true;
    sender_close(&daemon->sender);
    http_server_drain(daemon->server);
    timer_stop(daemon->loop, &daemon->timer);
    send_due(daemon, INT64_MAX); // late answers are sent now
    if (http_server_exchanges(daemon->server) == 0) {
        uv_service_loop_stop(daemon->service);
    }
}

static enum errc open_server(struct daemon *daemon, const struct sandbox_options *options, struct err *err)
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
        .context = daemon,
    };
    return http_server_open(daemon->service, &server, &daemon->server, err);
}

static void daemon_close(struct daemon *daemon)
{
    if (daemon->server != NULL) {
        http_server_close(daemon->server);
    }
    if (daemon->client != NULL) {
        sender_close(&daemon->sender);
        http_client_close(daemon->client);
        persist_flush(&daemon->persist, daemon->sandbox);
    }
    if (daemon->service != NULL) {
        uv_service_loop_close(daemon->service);
    }
    persist_close(&daemon->persist);
    sandbox_free(daemon->sandbox);
}

static enum errc daemon_open(struct daemon *daemon, const struct sandbox_options *options, struct err *err)
{
    enum errc rc = persist_open(&daemon->persist, daemon->sandbox, options->data_file, err);
    if (rc != OK) {
        return rc;
    }
    rc = uv_service_loop_open(&daemon->service, err);
    if (rc != OK) {
        return rc;
    }
    daemon->loop = uv_service_loop_base(daemon->service);
    const struct http_client_options client = {.user_agent = "Stripe/1.0 (paymentsd sandbox)",
                                               .connections_max = SENDER_CONNECTIONS_MAX,
                                               .host_connections_max = SENDER_CONNECTIONS_MAX};
    rc = http_client_curl_open(daemon->service, &client, &daemon->client, err);
    if (rc != OK) {
        return rc;
    }
    sender_open(&daemon->sender, daemon->sandbox, &daemon->persist, daemon->loop, daemon->client);
    return open_server(daemon, options, err);
}

enum errc sandbox_run(const struct sandbox_options *options, struct err *err)
{
    __attribute__((cleanup(daemon_close))) struct daemon daemon = {.sandbox = sandbox_new(&random_system),
                                                                   .persist = {.fd = -1}};
    list_init(&daemon.parked);
    timer_init(&daemon.timer, on_timer);
    enum errc rc = daemon_open(&daemon, options, err);
    if (rc != OK) {
        return rc;
    }
    // The host is as configured, the port as assigned.
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char *colon = strrchr(options->listen, ':');
    daemon.own_url =
        arena_printf(&arena, "http://%.*s:%u", colon == NULL ? 0 : (int)(colon - options->listen),
                     options->listen, (unsigned)http_server_port(daemon.server));
    uv_service_loop_on_signal(daemon.service, SIGTERM, on_signal, &daemon);
    uv_service_loop_on_signal(daemon.service, SIGINT, on_signal, &daemon);
    (void)printf("sandbox listening on %s\n", daemon.own_url);
    (void)fflush(stdout);
    sender_run(&daemon.sender); // jobs that an earlier run left
    uv_service_loop_run(daemon.service);
    return OK;
}
