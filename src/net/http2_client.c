// The calls of the HTTP/2 client: the queue, which connection takes a call, what time does to it, and its
// end. Loop thread. Invariant: calls wait in `queue` alone. nghttp2 is given a request only for a stream that
// may open at once, on a connection that takes bytes.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/http2_private.h"

#define CONNECTIONS_MAX 32
#define SWEEP_US (100 * US_PER_MS)
#define IDLE_SWEEP_US (1 * US_PER_S)
// A sweep this late means that the loop, or the machine, stood still: what came meanwhile is not read yet.
#define STOOD_STILL_US (500 * US_PER_MS)
#define RESENDS_MAX 3

static struct http2_client *client_of(struct http_client *base)
{
    return CONTAINER_OF(base, struct http2_client, base);
}

// Takes it out of the queue, or off its connection.
static void call_take_out(struct http2_call *call)
{
    if (call->connection != NULL) {
        call->connection->call_count--;
        call->connection->idle_since_us = loop_mono_us(call->client->loop);
        call->connection = NULL;
    }
    list_remove(&call->link);
}

void http2_call_end(struct http2_call *call, enum http_result result, const char *sentence)
{
    call_take_out(call);
    call->http->result = result;
    if (result != HTTP_DONE) {
        (void)snprintf(call->http->error, sizeof(call->http->error), "%s", sentence);
    }
    list_append(&call->client->finished, &call->link);
    http2_client_wake(call->client);
}

// What an attempt that came to nothing left in it.
static void call_reset(struct http2_call *call)
{
    call->headers_sent = call->head_ended = false;
    call->body_sent_bytes = call->header_bytes = 0;
    call->http->status = 0;
    call->http->response_header_count = 0;
}

void http2_call_requeue(struct http2_call *call, const char *sentence)
{
    if (++call->resent > RESENDS_MAX) {
        http2_call_end(call, HTTP_NOT_SENT, sentence);
        return;
    }
    call_take_out(call);
    call_reset(call);
    struct list *queue = &call->client->queue;
    list_append(queue->next, &call->link); // before the first
    http2_client_wake(call->client);
}

static void call_to_http1(struct http2_call *call)
{
    struct http2_client *client = call->client;
    struct http_call *http = call->http;
    int64_t left_us = call->deadline_us - loop_mono_us(client->loop);
    call_take_out(call);
    free(call);
    http->timeout_ms = left_us > 0 ? left_us / US_PER_MS : 0;
    http_client_send(client->options.http1, http);
}

void http2_client_fail_queue(struct http2_client *client, const char *sentence)
{
    while (!list_empty(&client->queue)) {
        http2_call_end(CONTAINER_OF(client->queue.next, struct http2_call, link), HTTP_NOT_SENT, sentence);
    }
}

static struct http2_connection *connection_with_room(struct http2_client *client)
{
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        struct http2_connection *connection = CONTAINER_OF(node, struct http2_connection, link);
        if (http2_connection_has_room(connection)) {
            return connection;
        }
    }
    return NULL;
}

static bool is_too_late(const struct http2_call *call)
{
    int64_t before_us = call->http->send_before_us;
    return before_us != 0 && loop_wall_us(call->client->loop) >= before_us;
}

// Gives the calls of the queue to connections that have room, and has one more made for the rest.
static void dispatch(struct http2_client *client)
{
    bool http1 = loop_mono_us(client->loop) < client->http1_until_us;
    while (!list_empty(&client->queue)) {
        struct http2_call *call = CONTAINER_OF(client->queue.next, struct http2_call, link);
        struct http2_connection *connection = connection_with_room(client);
        if (is_too_late(call)) {
            http2_call_end(call, HTTP_TOO_LATE, "it was too late to send it");
        } else if (connection == NULL && http1) {
            call_to_http1(call);
        } else if (connection == NULL) {
            if (!client->dial.under_way && client->stats.connections < CONNECTIONS_MAX &&
                loop_mono_us(client->loop) >= client->dial_after_us) {
                http2_dial_start(client);
            }
            return;
        } else if (!http2_session_submit(connection, call)) {
            http2_connection_retire(connection);
        }
    }
}

static void finish(struct http2_call *call)
{
    struct http_call *http = call->http;
    free(call);
    http->transfer = NULL;
    http->done(http);
}

void http2_client_turn(struct http2_client *client)
{
    dispatch(client);
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        http2_connection_flush(CONTAINER_OF(node, struct http2_connection, link));
    }
    struct list finished; // what `done` sends or ends meanwhile wakes the client again
    list_init(&finished);
    list_splice(&finished, &client->finished);
    for (struct list *node = list_take_first(&finished); node != NULL; node = list_take_first(&finished)) {
        finish(CONTAINER_OF(node, struct http2_call, link));
    }
}

static void on_wake(struct timer *timer)
{
    http2_client_turn(CONTAINER_OF(timer, struct http2_client, wake));
}

void http2_client_wake(struct http2_client *client)
{
    if (!list_linked(&client->wake.link)) {
        timer_start(client->loop, &client->wake, 0);
    }
}

// --- time

static void queued_call_check(struct http2_call *call, int64_t now_us)
{
    if (now_us >= call->deadline_us) {
        http2_call_end(call, HTTP_NOT_SENT, "no connection took it in time");
    } else if (is_too_late(call)) {
        http2_call_end(call, HTTP_TOO_LATE, "it was too late to send it");
    }
}

static void end_late_calls(struct http2_connection *connection, int64_t now_us)
{
    LIST_EACH_SAFE(&connection->calls, node, after)
    {
        struct http2_call *call = CONTAINER_OF(node, struct http2_call, link);
        if (now_us >= call->deadline_us) {
            if (call->body_sent_bytes < call->http->body_bytes) {
                http2_connection_retire(connection); // the next request could not be written either
            }
            http2_session_reset(call);
            http2_call_end(call, HTTP_CUT, "no answer came in time");
            http2_connection_doubt(connection, now_us);
        }
    }
}

static void check_connections(struct http2_client *client, int64_t now_us)
{
    LIST_EACH_SAFE(&client->dial.attempts, node, after)
    {
        http2_connection_check(CONTAINER_OF(node, struct http2_connection, link), now_us);
    }
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        struct http2_connection *connection = CONTAINER_OF(node, struct http2_connection, link);
        end_late_calls(connection, now_us);
        http2_connection_check(connection, now_us); // may close it
    }
}

static void on_sweep(struct timer *timer)
{
    struct http2_client *client = CONTAINER_OF(timer, struct http2_client, sweep);
    int64_t now_us = loop_mono_us(client->loop);
    bool stood_still = now_us - timer->due_us > STOOD_STILL_US;
    bool calls = !list_empty(&client->queue) || client->dial.under_way;
    LIST_EACH_SAFE(&client->queue, node, after)
    {
        queued_call_check(CONTAINER_OF(node, struct http2_call, link), now_us);
    }
    if (!stood_still) {
        check_connections(client, now_us);
    }
    LIST_EACH_SAFE(&client->connections, node, after)
    {
        calls |= CONTAINER_OF(node, struct http2_connection, link)->call_count > 0;
    }
    if (calls || !list_empty(&client->connections)) {
        timer_start(client->loop, &client->sweep, calls ? SWEEP_US : IDLE_SWEEP_US);
    }
    http2_client_turn(client);
}

// --- the seam

static bool is_sendable(struct http_call *http)
{
    for (size_t i = 0; i < http->header_count; i++) {
        const char *name = text_lower(&http->arena, http->headers[i].name);
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
    http->response_body = BUF_MAX(http->response_bytes_max);
    http->response_header_count = 0;
    http->status = 0;
    http->error[0] = '\0';
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

static void client_give_up(struct http_client *base, struct http_call *http)
{
    (void)base;
    struct http2_call *call = http->transfer;
    call->deadline_us = 0; // the next sweep ends it
}

static void end_all_calls(struct http2_client *client)
{
    http2_client_fail_queue(client, "the client is closing");
    while (!list_empty(&client->finished)) {
        finish(CONTAINER_OF(list_take_first(&client->finished), struct http2_call, link));
    }
}

static void client_close(struct http_client *base)
{
    struct http2_client *client = client_of(base);
    client->closing = true;
    http2_dial_stop(client);
    while (!list_empty(&client->connections)) {
        http2_connection_lose(CONTAINER_OF(client->connections.next, struct http2_connection, link),
                              "the client is closing");
    }
    end_all_calls(client);
    timer_stop(client->loop, &client->wake);
    timer_stop(client->loop, &client->sweep);
    http2_client_release(client);
}

void http2_client_stats(const struct http_client *client, struct http2_client_stats *stats)
{
    const struct http2_client *own = CONTAINER_OF(client, const struct http2_client, base);
    *stats = own->stats;
}

void http2_client_release(struct http2_client *client)
{
    if (--client->open_handles > 0) {
        return;
    }
    tls_context_free(client->tls);
    nghttp2_session_callbacks_del(client->callbacks);
    arena_release(&client->arena);
    free(client);
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
        .send = client_send, .give_up = client_give_up, .close = client_close};
    (void)signal(SIGPIPE, SIG_IGN); // OpenSSL writes to sockets that the server may have closed
    struct http2_client *opened = calloc(1, sizeof(*opened));
    REQUIRE(opened != NULL);
    opened->base.ops = &ops;
    opened->options = *options;
    opened->service = loop;
    opened->loop = uv_service_loop_base(loop);
    opened->open_handles = 1; // its own
    list_init(&opened->queue);
    list_init(&opened->connections);
    list_init(&opened->finished);
    timer_init(&opened->wake, on_wake);
    timer_init(&opened->sweep, on_sweep);
    http2_dial_init(&opened->dial);
    enum errc rc = open_parts(opened, err);
    if (rc != OK) {
        http2_client_release(opened);
        return rc;
    }
    *client = &opened->base;
    return OK;
}
