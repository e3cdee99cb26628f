// The HTTP/2 client: the queue, which connection takes a call, its time-outs, and the seam. Loop thread.
// Invariant: calls wait in `queue` alone. nghttp2 gets a request only for a stream that may open at once, on
// a connection that takes bytes.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http2_private.h"

#define SWEEP_US (100 * US_PER_MS)
#define IDLE_SWEEP_US (1 * US_PER_S)
// A sweep this late means that the loop, or the machine, stalled: what came meanwhile is not read yet.
#define STALLED_US (500 * US_PER_MS)

static struct http2_client *client_of(struct http_client *base)
{
    return CONTAINER_OF(base, struct http2_client, base);
}

static struct http2_connection *connection_with_room(struct http2_client *client)
{
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        struct http2_connection *connection = CONTAINER_OF(node, struct http2_connection, link);
        if (http2_session_has_room(connection)) {
            return connection;
        }
    }
    return NULL;
}

// Hands the queued calls to connections that have room, and dials one more connection for the rest.
static void dispatch(struct http2_client *client)
{
    int64_t now_us = loop_mono_us(client->loop);
    bool http1 = now_us < client->http1_until_us;
    while (!list_empty(&client->queue)) {
        struct http2_call *call = CONTAINER_OF(client->queue.next, struct http2_call, link);
        struct http2_connection *connection = connection_with_room(client);
        if (http_call_is_too_late(call->http, loop_wall_us(client->loop))) {
            http2_call_end(call, HTTP_TOO_LATE, "it was too late to send it");
        } else if (connection == NULL && http1) {
            http2_call_use_http1(call);
        } else if (connection == NULL) {
            if (!client->dial.under_way && client->stats.connections < client->options.connections_max &&
                now_us >= client->dial_after_us) {
                http2_dial_start(client);
            }
            return;
        } else if (!http2_session_submit(connection, call)) {
            http2_session_retire(connection);
        }
    }
}

// Acts on all that changed since the last step.
static void step(struct http2_client *client)
{
    http2_dial_continue(client);
    dispatch(client);
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        http2_connection_flush(CONTAINER_OF(node, struct http2_connection, link));
    }
    struct list finished; // what `done` sends or ends meanwhile wakes the client again
    list_init(&finished);
    list_splice(&finished, &client->finished);
    for (struct list *node = list_take_first(&finished); node != NULL; node = list_take_first(&finished)) {
        http2_call_finish(CONTAINER_OF(node, struct http2_call, link));
    }
}

static void on_wake(struct timer *timer)
{
    step(CONTAINER_OF(timer, struct http2_client, wake));
}

// --- time

static void end_late_calls(struct http2_connection *connection, int64_t now_us)
{
    LIST_EACH_SAFE(&connection->calls, node, after)
    {
        struct http2_call *call = CONTAINER_OF(node, struct http2_call, link);
        if (now_us >= call->deadline_us) {
            if (call->body_sent_bytes < call->http->body_bytes) {
                http2_session_retire(connection); // the next request could not be written either
            }
            http2_session_reset(call);
            http2_call_end(call, HTTP_CUT, "no answer came in time");
            http2_connection_probe(connection, now_us);
        }
    }
}

static void on_sweep(struct timer *timer)
{
    struct http2_client *client = CONTAINER_OF(timer, struct http2_client, sweep);
    int64_t now_us = loop_mono_us(client->loop);
    bool stalled = now_us - timer->due_us > STALLED_US;
    bool calls = !list_empty(&client->queue) || client->dial.under_way;
    LIST_EACH_SAFE(&client->queue, node, after)
    {
        struct http2_call *call = CONTAINER_OF(node, struct http2_call, link);
        if (now_us >= call->deadline_us) {
            http2_call_end(call, HTTP_NOT_SENT, "no connection took it in time");
        } else if (http_call_is_too_late(call->http, loop_wall_us(client->loop))) {
            http2_call_end(call, HTTP_TOO_LATE, "it was too late to send it");
        }
    }
    LIST_EACH_SAFE(&client->dial.attempts, node, after)
    {
        if (!stalled) {
            http2_connection_check(CONTAINER_OF(node, struct http2_connection, link), now_us);
        }
    }
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        struct http2_connection *connection = CONTAINER_OF(node, struct http2_connection, link);
        if (!stalled) {
            end_late_calls(connection, now_us);
            http2_connection_check(connection, now_us); // may close it
        }
        calls |= connection->call_count > 0;
    }
    if (calls || !list_empty(&client->connections)) {
        timer_start(client->loop, &client->sweep, calls ? SWEEP_US : IDLE_SWEEP_US);
    }
    step(client);
}

// --- the seam

static bool is_sendable(struct http_call *http)
{
    for (size_t i = 0; i < http->header_count; i++) {
        const char *name = http->headers[i].name; // in lower case: RFC 9113 section 8.2
        const char *value = http->headers[i].value;
        if (nghttp2_check_header_name((const uint8_t *)name, strlen(name)) == 0 ||
            nghttp2_check_header_value((const uint8_t *)value, strlen(value)) == 0) {
            return false;
        }
    }
    return http->header_count <= HTTP2_REQUEST_HEADERS_MAX;
}

static void client_send(struct http_client *base, struct http_call *http)
{
    struct http2_client *client = client_of(base);
    struct http2_call *call = calloc(1, sizeof(*call));
    REQUIRE(call != NULL);
    int64_t now_us = loop_mono_us(client->loop);
    call->client = client;
    call->http = http;
    call->deadline_us = now_us + http->timeout_ms * US_PER_MS;
    http->transfer = call;
    http_call_reset(http);
    list_append(&client->queue, &call->link);
    if (client->closing) {
        http2_call_end(call, HTTP_NOT_SENT, "the client is closing");
    } else if (!is_sendable(http)) {
        http2_call_end(call, HTTP_NOT_SENT, "its headers cannot be sent");
    } else if (!list_linked(&client->sweep.link) || client->sweep.due_us > now_us + SWEEP_US) {
        timer_start(client->loop, &client->sweep, SWEEP_US);
    }
    http2_client_wake(client);
}

static void client_abandon(struct http_client *base, struct http_call *http)
{
    (void)base;
    struct http2_call *call = http->transfer;
    call->deadline_us = 0; // the next sweep ends it
}

static void free_client(struct http2_client *client)
{
    tls_context_free(client->tls);
    nghttp2_session_callbacks_del(client->callbacks);
    arena_release(&client->arena);
    free(client);
}

static void client_close(struct http_client *base)
{
    struct http2_client *client = client_of(base);
    client->closing = true;
    http2_attempts_close(client);
    while (!list_empty(&client->connections)) {
        http2_connection_lose(CONTAINER_OF(client->connections.next, struct http2_connection, link),
                              "the client is closing");
    }
    http2_queue_fail(client, "the client is closing");
    while (!list_empty(&client->finished)) {
        http2_call_finish(CONTAINER_OF(list_take_first(&client->finished), struct http2_call, link));
    }
    timer_stop(client->loop, &client->wake);
    timer_stop(client->loop, &client->sweep);
    free_client(client);
}

void http2_client_stats(const struct http_client *client, struct http2_client_stats *stats)
{
    const struct http2_client *own = CONTAINER_OF(client, const struct http2_client, base);
    *stats = own->stats;
}

static enum errc open_parts(struct http2_client *client, struct err *err)
{
    enum errc rc = url_parse(client->options.origin, &client->arena, &client->origin, err);
    if (rc == OK && strcmp(client->origin.scheme, "https") != 0) {
        rc = err_set(err, ERR_CONFIG, "HTTP/2 needs an address that begins with https://");
    }
    if (rc == OK && client->options.proxy != NULL) {
        rc = proxy_parse(client->options.proxy, &client->arena, &client->proxy, err);
    }
    if (rc == OK) {
        size_t begin = strlen("https://");
        size_t bytes = strcspn(client->options.origin + begin, "/?#");
        client->authority = arena_strndup(&client->arena, client->options.origin + begin, bytes);
        rc = tls_context_open(client->options.ca_file, &client->tls, err);
    }
    if (rc == OK) {
        client->callbacks = http2_session_callbacks();
        REQUIRE(client->callbacks != NULL);
    }
    return rc;
}

enum errc http2_client_open(struct uv_service_loop *loop, const struct http2_client_options *options,
                            struct http_client **client, struct err *err)
{
    static const struct http_client_ops ops = {
        .send = client_send, .abandon = client_abandon, .close = client_close};
    (void)signal(SIGPIPE, SIG_IGN); // OpenSSL writes to sockets that the server may have closed
    struct http2_client *opened = calloc(1, sizeof(*opened));
    REQUIRE(opened != NULL);
    opened->base.ops = &ops;
    opened->options = *options;
    opened->service = loop;
    opened->loop = uv_service_loop_base(loop);
    list_init(&opened->queue);
    list_init(&opened->connections);
    list_init(&opened->finished);
    timer_init(&opened->wake, on_wake);
    timer_init(&opened->sweep, on_sweep);
    http2_dial_init(&opened->dial);
    enum errc rc = open_parts(opened, err);
    if (rc != OK) {
        free_client(opened);
        return rc;
    }
    *client = &opened->base;
    return OK;
}
