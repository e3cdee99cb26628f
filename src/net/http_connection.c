// The server's connections and how long each may stay in which phase. Loop thread.
// libmicrohttpd's own time-out sees only silence; the sweep here also ends clients that send or read a byte
// now and then, and those that are gone without its notice.
#include <stdlib.h>
#include <sys/socket.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_server_private.h"

// A request that has not come whole this long after its head may not hold up the end of the service: nothing
// was done of it yet.
#define DRAIN_RECEIVE_US (2 * US_PER_S)

void connection_phase_set(struct connection *connection, enum connection_phase phase)
{
    connection->phase = phase;
    connection->phase_since_us = loop_mono_us(connection->server->loop);
}

void connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct connection *connection = calloc(1, sizeof(*connection));
        REQUIRE(connection != NULL);
        connection->server = server;
        connection->mhd = mhd;
        list_append(&server->connections, &connection->link);
        http_accept_join(connection);
        server->connection_count++;
        connection_phase_set(connection, CONNECTION_WAITING);
        *socket_context = connection;
        return;
    }
    struct connection *connection = *socket_context;
    REQUIRE(connection->exchange == NULL);
    list_remove(&connection->link);
    server->connection_count--;
    http_accept_leave(connection);
    free(connection);
    http_accept_go_on(server);
}

// MHD finds the socket at its end and does the rest, in its own time.
static void connection_shut(struct connection *connection)
{
    int fd = MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    (void)shutdown(fd, SHUT_RDWR); // ENOTCONN: the client was faster
}

// How long the phase may last; INT64_MAX: as long as it likes.
static int64_t phase_limit_us(const struct http_server *server, enum connection_phase phase)
{
    const struct http_server_options *options = &server->options;
    switch (phase) {
    case CONNECTION_WAITING: // a silent one ends by MHD's idle time-out; this is for heads that trickle in
        return ((int64_t)options->idle_timeout_s + options->request_timeout_s) * US_PER_S;
    case CONNECTION_RECEIVING:
        if (server->draining) {
            return DRAIN_RECEIVE_US;
        }
        return (int64_t)options->request_timeout_s * US_PER_S;
    case CONNECTION_SENDING:
        return (int64_t)options->request_timeout_s * US_PER_S;
    case CONNECTION_PARKED:
        return INT64_MAX;
    }
    return INT64_MAX;
}

// Whether the client has ended its side with a request unfinished. libmicrohttpd misses that where the end
// came together with the last bytes: it waits for an edge that has passed.
static bool client_is_gone(const struct connection *connection)
{
    if (connection->phase != CONNECTION_WAITING && connection->phase != CONNECTION_RECEIVING) {
        return false; // half-closed, but its answer may still be wanted
    }
    char byte;
    int fd = MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void connections_sweep(struct http_server *server)
{
    int64_t now_us = loop_mono_us(server->loop);
    LIST_EACH_SAFE(&server->connections, node, after)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, link);
        if (now_us - connection->phase_since_us > phase_limit_us(server, connection->phase) ||
            client_is_gone(connection)) {
            connection_shut(connection);
        }
    }
}

void connections_close_idle(struct http_server *server)
{
    LIST_EACH_SAFE(&server->connections, node, after)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, link);
        if (connection->phase == CONNECTION_WAITING) {
            connection_shut(connection);
        }
    }
}

void connections_unpark(struct http_server *server)
{
    LIST_EACH_SAFE(&server->connections, node, after)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, link);
        if (connection->exchange) {
            exchange_unpark(connection->exchange);
        }
    }
}
