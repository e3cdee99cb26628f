// Taking new connections. One beyond the limit of all waits in the kernel's queue until another ends. One
// that would let its address take more than its share is closed. Loop thread. Invariant: the listening socket
// is watched exactly while connections may be taken.
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "net/http_server_private.h"

#define BATCH 64 // then those already there are served again

static bool is_full(const struct http_server *server)
{
    return server->connection_count >= server->options.connections_max;
}

static void pause_accepting(struct http_server *server)
{
    REQUIRE(uv_poll_stop(&server->accepting) == 0);
}

// Whether accept failed for want of a descriptor or memory. All other errors are those of one connection, as
// accept(2) says, and the next may well be taken.
static bool is_out_of_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static struct crowd *find_crowd(const struct http_server *server, const struct address *subscriber)
{
    struct table_node *node = table_find(&server->crowds, subscriber, sizeof(*subscriber));
    return node != NULL ? CONTAINER_OF(node, struct crowd, node) : NULL;
}

// Whether the address has its share already. While most of all connections are free, nobody needs to go
// without.
static bool has_too_many(const struct http_server *server, const struct address *peer)
{
    const struct http_server_options *options = &server->options;
    if (options->connections_per_address_max == 0 ||
        server->connection_count * 2 < options->connections_max ||
        (options->unlimited != NULL && network_list_has(options->unlimited, peer))) {
        return false;
    }
    struct address subscriber = address_subscriber(peer);
    const struct crowd *crowd = find_crowd(server, &subscriber);
    return crowd != NULL && crowd->count >= options->connections_per_address_max;
}

void http_accept_join(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct address subscriber = address_subscriber(&connection->peer);
    struct crowd *crowd = find_crowd(server, &subscriber);
    if (crowd == NULL) {
        crowd = calloc(1, sizeof(*crowd));
        REQUIRE(crowd != NULL);
        crowd->address = subscriber;
        table_insert(&server->crowds, &crowd->node, &crowd->address, sizeof(crowd->address));
    }
    crowd->count++;
    connection->crowd = crowd;
}

void http_accept_leave(struct connection *connection)
{
    struct crowd *crowd = connection->crowd;
    if (--crowd->count == 0) {
        table_remove(&connection->server->crowds, &crowd->node);
        free(crowd);
    }
}

void http_accept_tell(struct http_server *server)
{
    if (server->refused_count > 0) {
        LOG(LOG_WARN, "connections were refused, for their address has its share of all",
            LOG_INT("count", (int64_t)server->refused_count));
        server->refused_count = 0;
    }
}

// Takes one connection; false where there is none to take now.
static bool accept_one(struct http_server *server)
{
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof(peer);
    int fd = accept4(server->listening, (struct sockaddr *)&peer, &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        struct address address = {{0}};
        REQUIRE(address_from_sockaddr((struct sockaddr *)&peer, &address));
        if (has_too_many(server, &address)) {
            server->refused_count++;
            close(fd);
        } else {
            connection_open(server, fd, &address);
        }
        return true;
    }
    if (is_out_of_resources(errno)) {
        LOG(LOG_WARN, "a connection cannot be accepted", LOG_INT("errno", errno));
        pause_accepting(server); // the sweep tries again
        return false;
    }
    return errno != EAGAIN;
}

static void on_listening(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    struct http_server *server = handle->data;
    for (int i = 0; i < BATCH && !is_full(server) && accept_one(server); i++) {
    }
    if (is_full(server)) {
        pause_accepting(server);
    }
}

void http_accept_go_on(struct http_server *server)
{
    if (server->listening >= 0 && !is_full(server) && !uv_is_active((uv_handle_t *)&server->accepting)) {
        REQUIRE(uv_poll_start(&server->accepting, UV_READABLE, on_listening) == 0);
    }
}

void http_accept_open(struct http_server *server, int listening)
{
    server->listening = listening;
    REQUIRE(uv_poll_init(server->uv, &server->accepting, listening) == 0);
    http_accept_go_on(server);
}

void http_accept_close(struct http_server *server, void (*on_closed)(uv_handle_t *handle))
{
    if (server->listening >= 0) {
        uv_close((uv_handle_t *)&server->accepting, on_closed);
        close(server->listening);
        server->listening = -1;
    }
}
