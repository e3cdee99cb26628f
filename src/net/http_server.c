// The server's daemon and how the loop drives it: libmicrohttpd keeps its sockets in an epoll descriptor of
// its own, which the loop watches; MHD_run then serves what is ready. Loop thread. Invariants: MHD_run is
// never entered twice; after each MHD_run the timer or `again` is set to what MHD asks for.
// MHD_resume_connection wakes nothing by itself with external polling, hence http_server_wake.
#include "net/http_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_server_private.h"
#include "net/uv_loop.h"

#define SWEEP_US US_PER_S

static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    http_server_run(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
    http_server_run(handle->data);
}

static void on_again(uv_idle_t *handle)
{
    http_server_run(handle->data);
}

// In the next turn of the loop: many answers given in one turn cost one MHD_run.
void http_server_wake(struct http_server *server)
{
    REQUIRE(uv_idle_start(&server->again, on_again) == 0);
}

void http_server_run(struct http_server *server)
{
    REQUIRE(!server->running);
    server->running = true;
    REQUIRE(uv_idle_stop(&server->again) == 0);
    MHD_run(server->mhd); // fails only where epoll_wait itself does; the next event tries again
    server->running = false;
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(server->mhd, &wait_ms) != MHD_YES) {
        REQUIRE(uv_timer_stop(&server->timer) == 0);
    } else if (wait_ms == 0) {
        http_server_wake(server);
    } else {
        REQUIRE(uv_timer_start(&server->timer, on_timer, wait_ms, 0) == 0);
    }
}

static void on_sweep(struct timer *timer)
{
    struct http_server *server = CONTAINER_OF(timer, struct http_server, sweep);
    connections_sweep(server);
    http_accept_tell(server);
    http_accept_go_on(server);
    timer_start(server->loop, &server->sweep, SWEEP_US);
}

// The bytes as they came: MHD would turn %2F into a separator and cut at %00. target_read decodes.
static size_t leave_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

static struct MHD_Daemon *daemon_start(struct http_server *server)
{
    const struct http_server_options *options = &server->options;
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)options->header_bytes_max, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, options->connections_max, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connection_notify, server},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_begin, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_end, server},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    return MHD_start_daemon(flags, 0, NULL, NULL, exchange_handle, server, MHD_OPTION_ARRAY, items,
                            MHD_OPTION_END);
}

static void handles_open(struct http_server *server, uv_loop_t *uv, int listening)
{
    int epoll_fd = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    server->accepting.data = server->poll.data = server->timer.data = server->again.data = server;
    server->open_handles = 4;
    REQUIRE(uv_poll_init(uv, &server->poll, epoll_fd) == 0);
    REQUIRE(uv_timer_init(uv, &server->timer) == 0);
    REQUIRE(uv_idle_init(uv, &server->again) == 0);
    REQUIRE(uv_poll_start(&server->poll, UV_READABLE, on_poll) == 0);
    http_accept_open(server, uv, listening);
}

enum errc http_server_open(struct uv_service_loop *loop, const struct http_server_options *options,
                           struct http_server **server, struct err *err)
{
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
    opened->port = port;
    list_init(&opened->connections);
    opened->mhd = daemon_start(opened);
    if (!opened->mhd) {
        close(listening);
        free(opened);
        return err_set(err, ERR_IO, "the HTTP server does not start");
    }
    handles_open(opened, uv_service_loop_uv(loop), listening);
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

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    if (--server->open_handles == 0) {
        free(server);
    }
}

void http_server_drain(struct http_server *server)
{
    server->draining = true;
    http_accept_close(server, on_handle_closed);
    connections_close_idle(server);
}

void http_server_close(struct http_server *server)
{
    REQUIRE(!server->running);
    timer_stop(server->loop, &server->sweep);
    http_accept_close(server, on_handle_closed);
    connections_unpark(server); // MHD_stop_daemon aborts where a connection is suspended
    uv_close((uv_handle_t *)&server->poll, on_handle_closed);
    uv_close((uv_handle_t *)&server->timer, on_handle_closed);
    uv_close((uv_handle_t *)&server->again, on_handle_closed);
    MHD_stop_daemon(server->mhd); // ends every exchange
    REQUIRE(list_empty(&server->connections) && server->exchange_count == 0);
    table_release(&server->crowds);
}
