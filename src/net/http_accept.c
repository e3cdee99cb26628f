// Taking new connections. We accept them ourselves and hand them to libmicrohttpd: at its own limit it
// accepts and closes, where here a connection beyond the limit waits in the kernel's queue until one ends.
// Loop thread. Invariant: the listening socket is watched exactly while connections may be taken.
#include <errno.h>
#include <netinet/in.h>
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

static bool is_client_gone(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

// Takes one connection; false where there is none to take now.
static bool accept_one(struct http_server *server)
{
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof(peer);
    int fd = accept4(server->listening, (struct sockaddr *)&peer, &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        // Closes the socket itself where it refuses it: too many of one address.
        (void)MHD_add_connection(server->mhd, fd, (struct sockaddr *)&peer, peer_bytes);
        return true;
    }
    if (is_client_gone(errno)) {
        return true;
    }
    if (errno != EAGAIN) { // no descriptor or memory left: the sweep tries again
        LOG(LOG_WARN, "a connection cannot be accepted", LOG_INT("errno", errno));
        http_accept_pause(server);
    }
    return false;
}

static void on_listening(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    struct http_server *server = handle->data;
    for (int i = 0; i < BATCH && !is_full(server) && accept_one(server); i++) {
    }
    if (is_full(server)) {
        http_accept_pause(server);
    }
    http_server_run(server); // MHD's time-outs now include theirs
}

void http_accept_pause(struct http_server *server)
{
    REQUIRE(uv_poll_stop(&server->accepting) == 0);
}

void http_accept_go_on(struct http_server *server)
{
    if (server->listening >= 0 && !is_full(server) && !uv_is_active((uv_handle_t *)&server->accepting)) {
        REQUIRE(uv_poll_start(&server->accepting, UV_READABLE, on_listening) == 0);
    }
}

void http_accept_open(struct http_server *server, uv_loop_t *uv, int listening)
{
    server->listening = listening;
    REQUIRE(uv_poll_init(uv, &server->accepting, listening) == 0);
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
