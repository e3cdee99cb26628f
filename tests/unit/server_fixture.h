// An HTTP server on a loop of its own, whose handler does what the path says, and raw clients to talk to it.
#pragma once

#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/require.h"
#include "net/http_server.h"
#include "net/uv_loop.h"
#include "wire.h"

#define BODY_BYTES_MAX 65536
#define HUGE_BYTES (32 * 1024 * 1024) // no socket buffer takes it
#define CRLF "\r\n"
#define HOST "Host: a\r\n"
#define LAST "Connection: close\r\n"

static struct uv_service_loop *service;
static struct http_server *server;
static struct http_exchange *parked; // the one at /hold
static int heads;
static int malformed;
static int requests;
static int ends;
static int clients_left;

static inline void reply_text(struct http_exchange *exchange, int status, const char *text)
{
    static const struct http_reply_header headers[] = {{"X-Kept", "yes"},
                                                       {"X-Dropped", "a\r\nX-Injected: b"}};
    struct http_reply reply = {
        .status = status,
        .content_type = "text/plain",
        .headers = headers,
        .header_count = strcmp(exchange->path, "/drop") == 0 ? 2 : 1,
        .body = text,
        .body_bytes = strlen(text),
    };
    http_exchange_reply(exchange, &reply);
}

static inline void on_head(struct http_exchange *exchange, void *context)
{
    (void)context;
    heads++;
    exchange->body_bytes_max = BODY_BYTES_MAX;
    if (strcmp(exchange->path, "/early") == 0) {
        reply_text(exchange, 401, "early");
    }
}

// What the handler was given, as text: "GET /path?query 127.0.0.1 [X-Asked] body-bytes:first-byte
// {X-Listed}".
static inline void describe(struct http_exchange *exchange)
{
    char peer[ADDRESS_TEXT_BYTES];
    bool repeated = false;
    const char *asked = http_exchange_header(exchange, "x-ASKED", &repeated);
    const char *listed = http_exchange_header_list(exchange, "X-Listed");
    address_format(&exchange->peer, peer);
    const char *text =
        arena_printf(&exchange->arena, "%s %s?%s %s [%s%s] %zu:%.1s {%s}", exchange->method, exchange->path,
                     exchange->query, peer, asked ? asked : "", repeated ? ", repeated" : "",
                     exchange->body.len, buf_str(&exchange->body), listed ? listed : "");
    reply_text(exchange, 200, text);
}

struct parked_task {
    struct task task;
    struct http_exchange *exchange;
};

static inline void answer_parked(struct task *task)
{
    struct parked_task *answer = CONTAINER_OF(task, struct parked_task, task);
    describe(answer->exchange);
    free(answer);
}

static inline void on_request(struct http_exchange *exchange, void *context)
{
    (void)context;
    requests++;
    if (strcmp(exchange->path, "/park") == 0) {
        struct parked_task *answer = calloc(1, sizeof(*answer));
        REQUIRE(answer != NULL);
        answer->task.run = answer_parked;
        answer->exchange = exchange;
        loop_post(uv_service_loop_base(service), &answer->task);
    } else if (strcmp(exchange->path, "/hold") == 0) {
        parked = exchange;
        uv_service_loop_stop(service); // the test goes on
    } else if (strcmp(exchange->path, "/huge") == 0) {
        char *huge = arena_alloc(&exchange->arena, HUGE_BYTES + 1);
        memset(huge, 'h', HUGE_BYTES);
        reply_text(exchange, 200, huge);
    } else {
        describe(exchange);
    }
}

static inline void on_malformed(struct http_exchange *exchange, int status, const char *sentence,
                                void *context)
{
    (void)context;
    malformed += exchange->path[0] == '\0'; // otherwise on_head came before
    reply_text(exchange, status, arena_printf(&exchange->arena, "malformed: %s", sentence));
}

static inline void on_too_large(struct http_exchange *exchange, void *context)
{
    (void)context;
    reply_text(exchange, 413, "too large");
}

static inline void on_end(struct http_exchange *exchange, void *context)
{
    (void)context;
    ends++;
    if (exchange == parked) {
        parked = NULL;
    }
}

static inline struct http_server_options usual_options(void)
{
    return (struct http_server_options){
        .listen = "127.0.0.1:0",
        .connections_max = 100,
        .idle_timeout_s = 30,
        .request_timeout_s = 30,
        .head_bytes_max = 8192,
        .on_head = on_head,
        .on_request = on_request,
        .on_too_large = on_too_large,
        .on_malformed = on_malformed,
        .on_end = on_end,
    };
}

static inline void open_server(const struct http_server_options *options)
{
    heads = malformed = requests = ends = clients_left = 0;
    parked = NULL;
    assert_int_equal(uv_service_loop_open(&service, NULL), OK);
    assert_int_equal(http_server_open(service, options, &server, NULL), OK);
}

static inline int open_usual_server(void **state)
{
    (void)state;
    struct http_server_options options = usual_options();
    open_server(&options);
    return 0;
}

static inline int close_server(void **state)
{
    (void)state;
    http_server_close(server);
    uv_service_loop_close(service);
    assert_int_equal(heads + malformed, ends); // on_end, exactly once for what a handler has seen
    return 0;
}

static inline void client_ended(struct task *task)
{
    (void)task;
    if (--clients_left == 0) {
        uv_service_loop_stop(service);
    }
}

static inline void client_start(struct wire_client *client, const void *request, size_t request_bytes)
{
    *client = (struct wire_client){
        .port = http_server_port(server),
        .talk = client->talk ? client->talk : wire_talk,
        .request = request,
        .request_bytes = request_bytes,
        .loop = uv_service_loop_base(service),
        .ended.run = client_ended,
    };
    clients_left++;
    wire_client_start(client);
}

// Runs the loop until the client's connection has ended. The caller releases `reply`.
static inline void client_wait(struct wire_client *client)
{
    if (clients_left > 0) {
        uv_service_loop_run(service);
    }
    REQUIRE(pthread_join(client->thread, NULL) == 0);
}

// Sends these bytes on one connection and takes all that comes back until its end.
static inline struct buf exchange_bytes(const void *request, size_t request_bytes)
{
    struct wire_client client = {0};
    client_start(&client, request, request_bytes);
    client_wait(&client);
    if (!client.ended_well) {
        fail_msg("the connection did not end in order: %.300s", (const char *)request);
    }
    return client.reply;
}

static inline void assert_replies(const char *request, const char *piece)
{
    struct buf reply = exchange_bytes(request, strlen(request));
    if (!strstr(buf_str(&reply), piece)) {
        fail_msg("%.100s: %.500s", request, buf_str(&reply));
    }
    buf_release(&reply);
}
