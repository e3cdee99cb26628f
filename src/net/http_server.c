// The server: it opens, drains and closes, and ends connections whose time is over. Loop thread.
#include "net/http_server.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_server_private.h"
#include "net/uv_loop.h"

#define SWEEP_US US_PER_S
// A request that has not come whole this long after its head may not delay the end of the service: nothing of
// it was done yet.
#define DRAIN_RECEIVE_US (2 * US_PER_S)
// A client that still sends when the connection closes would get a reset in place of the answer.
#define LINGER_US (2 * US_PER_S)

// Whether the connection has been in its phase, or silent in it, for too long.
static bool is_overdue(const struct connection *connection, int64_t now_us)
{
    const struct http_server_options *options = &connection->server->options;
    int64_t idle_us = (int64_t)options->idle_timeout_s * US_PER_S;
    int64_t request_us = (int64_t)options->request_timeout_s * US_PER_S;
    int64_t phase_us = now_us - connection->phase_since_us;
    bool silent = now_us - connection->received_us > idle_us && phase_us > idle_us;
    switch (connection->phase) {
    case CONNECTION_WAITING:
        return silent;
    case CONNECTION_RECEIVING:
        return silent || (connection->server->draining && phase_us > DRAIN_RECEIVE_US);
    case CONNECTION_SENDING:
        return phase_us > request_us;
    case CONNECTION_LINGERING:
        return phase_us > LINGER_US;
    case CONNECTION_PARKED:
        return false;
    }
    return false;
}

// Whether a request has begun to come, and has not come whole in time.
static bool is_too_slow(const struct connection *connection, int64_t now_us)
{
    int64_t request_us = (int64_t)connection->server->options.request_timeout_s * US_PER_S;
    bool is_coming = connection->phase == CONNECTION_WAITING || connection->phase == CONNECTION_RECEIVING;
    return is_coming && connection->request_since_us != 0 &&
           now_us - connection->request_since_us > request_us;
}

static void on_sweep(struct timer *timer)
{
    struct http_server *server = CONTAINER_OF(timer, struct http_server, sweep);
    int64_t now_us = loop_mono_us(server->loop);
    LIST_EACH_SAFE(&server->connections, node, after)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, link);
        bool too_slow = is_too_slow(connection, now_us);
        // Where it is too slow but writes, the client does not even read its 100 Continue.
        if (is_overdue(connection, now_us) || (too_slow && connection->writing)) {
            connection_close(connection);
        } else if (too_slow && connection->exchange != NULL) {
            exchange_time_out(connection->exchange);
        } else if (too_slow) {
            exchange_begin_refused(connection, 408, HTTP_TOO_SLOW);
        }
    }
    http_accept_log_refused(server);
    http_accept_resume(server);
    timer_start(server->loop, &server->sweep, SWEEP_US);
}

enum errc http_server_open(struct uv_service_loop *loop, const struct http_server_options *options,
                           struct http_server **server, struct err *err)
{
    REQUIRE(options->head_bytes_max < HTTP_IN_BYTES_MAX); // otherwise one too large would wait for ever
    int listening = -1;
    uint16_t port = 0;
    enum errc rc = http_listen(options->listen, &listening, &port, err);
    if (rc != OK) {
        return rc;
    }
    struct http_server *opened = calloc(1, sizeof(*opened));
    REQUIRE(opened != NULL);
    opened->options = *options;
    opened->options.listen = NULL; // the caller's, and not needed again
    opened->loop = uv_service_loop_base(loop);
    opened->uv = uv_service_loop_uv(loop);
    opened->port = port;
    list_init(&opened->connections);
    list_init(&opened->awake);
    opened->accepting.data = opened->next_turn.data = opened;
    opened->open_handles = 2;
    REQUIRE(uv_idle_init(opened->uv, &opened->next_turn) == 0);
    http_accept_open(opened, listening, connection_open);
    (void)signal(SIGPIPE, SIG_IGN); // libuv leaves that to us: a client may hang up while we write
    timer_init(&opened->sweep, on_sweep);
    timer_start(opened->loop, &opened->sweep, SWEEP_US);
    *server = opened;
    return OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

size_t http_server_connections(const struct http_server *server)
{
    return server->connection_count;
}

size_t http_server_exchanges(const struct http_server *server)
{
    return server->exchange_count;
}

static void on_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    if (--server->open_handles == 0) {
        free(server);
    }
}

void http_server_drain(struct http_server *server)
{
    server->draining = true;
    http_accept_close(server, on_closed);
    LIST_EACH_SAFE(&server->connections, node, after)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, link);
        if (connection->phase == CONNECTION_WAITING) {
            connection_close(connection);
        }
    }
}

void http_server_close(struct http_server *server)
{
    timer_stop(server->loop, &server->sweep);
    http_accept_close(server, on_closed);
    LIST_EACH_SAFE(&server->connections, node, after)
    {
        connection_close(CONTAINER_OF(node, struct connection, link));
    }
    REQUIRE(list_empty(&server->connections) && server->exchange_count == 0);
    table_release(&server->addresses);
    uv_close((uv_handle_t *)&server->next_turn, on_closed);
}
