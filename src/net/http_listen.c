// The listening socket: binding it, and taking connections. Loop thread.
//
// SO_REUSEADDR alone is set: SO_REUSEPORT would let two servers share a port silently. A connection beyond
// the limit of all waits in the kernel's queue until another ends. One beyond its address's share is closed.
// Invariant: the listening socket is watched exactly while connections may be taken.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "net/http_server_private.h"

#define BATCH 64 // connections that are taken before those already there are served again
#define BACKLOG 1024

struct endpoint {
    struct sockaddr_storage address;
    socklen_t bytes;
};

static void fd_cleanup(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

// "HOST:PORT", HOST an address, an IPv6 one in brackets.
static bool endpoint_parse(const char *listen, struct endpoint *endpoint)
{
    char host[ADDRESS_TEXT_BYTES + 2];
    const char *colon = strrchr(listen, ':');
    size_t host_bytes = colon ? (size_t)(colon - listen) : 0;
    int64_t port = 0;
    if (host_bytes == 0 || host_bytes >= sizeof(host) || text_to_i64(colon + 1, &port, NULL) != OK ||
        port > UINT16_MAX) {
        return false;
    }
    memcpy(host, listen, host_bytes);
    host[host_bytes] = '\0';
    *endpoint = (struct endpoint){.bytes = sizeof(struct sockaddr_in)};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&endpoint->address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&endpoint->address;
    if (host[0] != '[') {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons((uint16_t)port);
        return inet_pton(AF_INET, host, &ipv4->sin_addr) == 1;
    }
    if (host[host_bytes - 1] != ']') {
        return false;
    }
    host[host_bytes - 1] = '\0';
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons((uint16_t)port);
    endpoint->bytes = sizeof(struct sockaddr_in6);
    return inet_pton(AF_INET6, host + 1, &ipv6->sin6_addr) == 1;
}

static uint16_t bound_port(int fd)
{
    struct endpoint bound = {.bytes = sizeof(bound.address)};
    REQUIRE(getsockname(fd, (struct sockaddr *)&bound.address, &bound.bytes) == 0);
    return bound.address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&bound.address)->sin6_port)
                                               : ntohs(((struct sockaddr_in *)&bound.address)->sin_port);
}

static enum errc refused(const char *listen_text, struct err *err)
{
    enum errc rc = errno == EADDRINUSE ? ERR_EXISTS : ERR_CONFIG;
    return err_set(err, rc, "%.80s: %s", listen_text, strerror(errno));
}

static enum errc malformed(const char *listen_text, struct err *err)
{
    return err_set(err, ERR_VALIDATION, "\"%.80s\" is not an address and port (127.0.0.1:8080, [::1]:8080)",
                   listen_text);
}

enum errc http_server_check_address(const char *listen_text, struct err *err)
{
    struct endpoint endpoint;
    return endpoint_parse(listen_text, &endpoint) ? OK : malformed(listen_text, err);
}

static enum errc bind_socket(const char *listen_text, int *fd, struct err *err)
{
    struct endpoint endpoint;
    if (!endpoint_parse(listen_text, &endpoint)) {
        return malformed(listen_text, err);
    }
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int yes = 1;
    int no = 0; // "[::]:8080" takes IPv4 too, whatever the system's default
    bool ipv6 = endpoint.address.ss_family == AF_INET6;
    *fd = socket(endpoint.address.ss_family, type, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        (ipv6 && setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) != 0) ||
        bind(*fd, (struct sockaddr *)&endpoint.address, endpoint.bytes) != 0) {
        return refused(listen_text, err);
    }
    return OK;
}

enum errc http_listen(const char *listen_text, int *fd, uint16_t *port, struct err *err)
{
    __attribute__((cleanup(fd_cleanup))) int listening = -1;
    enum errc rc = bind_socket(listen_text, &listening, err);
    if (rc != OK) {
        return rc;
    }
    if (listen(listening, BACKLOG) != 0) {
        return refused(listen_text, err);
    }
    *port = bound_port(listening);
    *fd = listening;
    listening = -1;
    return OK;
}

enum errc http_server_try_listen(const char *listen_text, struct err *err)
{
    __attribute__((cleanup(fd_cleanup))) int bound = -1;
    return bind_socket(listen_text, &bound, err);
}

static bool is_full(const struct http_server *server)
{
    return server->connection_count >= server->options.connections_max;
}

static void pause_accepting(struct http_server *server)
{
    REQUIRE(uv_poll_stop(&server->accepting) == 0);
}

static struct address_connections *connections_of(const struct http_server *server,
                                                  const struct address *subscriber)
{
    struct table_node *node = table_find(&server->addresses, subscriber, sizeof(*subscriber));
    return node != NULL ? CONTAINER_OF(node, struct address_connections, node) : NULL;
}

// Whether the address has its share already. While more than half of all connections are free, there is no
// limit.
static bool has_too_many(const struct http_server *server, const struct address *peer)
{
    const struct http_server_options *options = &server->options;
    if (options->connections_per_address_max == 0 ||
        server->connection_count * 2 < options->connections_max ||
        (options->unlimited != NULL && network_list_has(options->unlimited, peer))) {
        return false;
    }
    struct address subscriber = address_subscriber(peer);
    const struct address_connections *taken = connections_of(server, &subscriber);
    return taken != NULL && taken->count >= options->connections_per_address_max;
}

void http_accept_count(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct address subscriber = address_subscriber(&connection->peer);
    struct address_connections *of_address = connections_of(server, &subscriber);
    if (of_address == NULL) {
        of_address = calloc(1, sizeof(*of_address));
        REQUIRE(of_address != NULL);
        of_address->address = subscriber;
        table_insert(&server->addresses, &of_address->node, &of_address->address,
                     sizeof(of_address->address));
    }
    of_address->count++;
    connection->of_address = of_address;
    server->connection_count++;
}

void http_accept_uncount(struct connection *connection)
{
    struct address_connections *of_address = connection->of_address;
    if (--of_address->count == 0) {
        table_remove(&connection->server->addresses, &of_address->node);
        free(of_address);
    }
    connection->server->connection_count--;
    http_accept_resume(connection->server);
}

void http_accept_log_refused(struct http_server *server)
{
    if (server->refused_count > 0) {
        LOG(LOG_WARN, "connections were refused: their address has its share of all",
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
            server->on_accepted(server, fd, &address);
        }
        return true;
    }
    // Other errors are those of one connection, as accept(2) says, and the next may well be taken.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
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

void http_accept_resume(struct http_server *server)
{
    if (server->listening >= 0 && !is_full(server) && !uv_is_active((uv_handle_t *)&server->accepting)) {
        REQUIRE(uv_poll_start(&server->accepting, UV_READABLE, on_listening) == 0);
    }
}

void http_accept_open(struct http_server *server, int listening,
                      void (*on_accepted)(struct http_server *server, int fd, const struct address *peer))
{
    server->listening = listening;
    server->on_accepted = on_accepted;
    REQUIRE(uv_poll_init(server->uv, &server->accepting, listening) == 0);
    http_accept_resume(server);
}

void http_accept_close(struct http_server *server, void (*on_closed)(uv_handle_t *handle))
{
    if (server->listening >= 0) {
        uv_close((uv_handle_t *)&server->accepting, on_closed);
        close(server->listening);
        server->listening = -1;
    }
}
