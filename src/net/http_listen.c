// Binding the server's own socket, so that a taken port is an error of ours with a clear sentence.
// SO_REUSEADDR alone: SO_REUSEPORT would let two servers share a port silently.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/require.h"
#include "base/text.h"
#include "net/http_server_private.h"

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
    enum errc code = errno == EADDRINUSE ? ERR_EXISTS : ERR_CONFIG;
    return err_set(err, code, "%.80s: %s", listen_text, strerror(errno));
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
