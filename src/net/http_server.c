// The server itself: it opens, drains and closes. Loop thread.
#include "net/http_server.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_server_private.h"
#include "net/uv_loop.h"

#define SWEEP_US US_PER_S

static void on_sweep(struct timer *timer)
{
    struct http_server *server = CONTAINER_OF(timer, struct http_server, sweep);
    connections_sweep(server);
    http_accept_tell(server);
    http_accept_go_on(server);
    timer_start(server->loop, &server->sweep, SWEEP_US);
}

enum errc http_server_open(struct uv_service_loop *loop, const struct http_server_options *options,
                           struct http_server **server, struct err *err)
{
    REQUIRE(options->head_bytes_max < HTTP_IN_BYTES_MAX); // otherwise one too large would wait for ever
    int listening = -1;
    uint16_t port = 0;
    enum errc code = http_listen(options->listen, &listening, &port, err);
    if (code != OK) {
        return code;
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
    opened->accepting.data = opened->again.data = opened;
    opened->open_handles = 2;
    REQUIRE(uv_idle_init(opened->uv, &opened->again) == 0);
    http_accept_open(opened, listening);
    (void)signal(SIGPIPE, SIG_IGN); // libuv leaves that to us: a client may leave while it is written to
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

void http_server_handle_closed(struct http_server *server)
{
    if (--server->open_handles == 0) {
        free(server);
    }
}

static void on_closed(uv_handle_t *handle)
{
    http_server_handle_closed(handle->data);
}

void http_server_drain(struct http_server *server)
{
    server->draining = true;
    http_accept_close(server, on_closed);
    connections_close_idle(server);
}

void http_server_close(struct http_server *server)
{
    timer_stop(server->loop, &server->sweep);
    http_accept_close(server, on_closed);
    connections_close(server);
    REQUIRE(list_empty(&server->connections) && server->exchange_count == 0);
    table_release(&server->crowds);
    uv_close((uv_handle_t *)&server->again, on_closed);
}
