// The way of an HTTP/2 connection through a proxy: CONNECT before TLS (RFC 9110 section 9.3.6). The proxy
// sees the server's name and port, and from then on TLS. Loop thread. What it answers is kept in the
// connection's `out`, which is empty until the session begins.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "net/http2_private.h"

#define ANSWER_BYTES_MAX 8192

static const char head_end[] = "\r\n\r\n";

void http2_tunnel_begin(struct http2_connection *connection)
{
    const struct url *origin = &connection->client->origin;
    bool ipv6 = strchr(origin->host, ':') != NULL;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *authority =
        arena_printf(&arena, ipv6 ? "[%s]:%u" : "%s:%u", origin->host, (unsigned)origin->port);
    const char *request =
        arena_printf(&arena, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s%s", authority, authority,
                     connection->client->options.user_agent, head_end);
    size_t bytes = strlen(request);
    // A new socket takes so little at once.
    if (send(connection->fd, request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
        http2_connection_lose(connection, "the proxy does not take the request");
        return;
    }
    connection->state = HTTP2_TUNNELLING;
    (void)http2_connection_poll(connection, UV_READABLE);
}

// "HTTP/1.1 200 ..."
static bool is_success(const char *answer)
{
    return text_starts_with(answer, "HTTP/1.") && strlen(answer) > strlen("HTTP/1.1 2") && answer[8] == ' ' &&
           answer[9] == '2';
}

static void answered(struct http2_connection *connection, const char *answer)
{
    connection->out_bytes = 0;
    if (is_success(answer)) {
        http2_connection_secure(connection);
    } else {
        http2_connection_lose(connection, "the proxy refuses to connect to the server");
    }
}

void http2_tunnel_read(struct http2_connection *connection)
{
    char *answer = (char *)connection->out;
    ssize_t bytes =
        recv(connection->fd, answer + connection->out_bytes, ANSWER_BYTES_MAX - connection->out_bytes, 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (bytes <= 0) {
        http2_connection_lose(connection, "the proxy closed the connection");
        return;
    }
    connection->out_bytes += (size_t)bytes;
    answer[connection->out_bytes] = '\0';
    const char *end = strstr(answer, head_end);
    if (end != NULL && end + strlen(head_end) == answer + connection->out_bytes) {
        answered(connection, answer);
    } else if (end != NULL || connection->out_bytes == ANSWER_BYTES_MAX ||
               strlen(answer) != connection->out_bytes) {
        http2_connection_lose(connection, "the proxy's answer cannot be read, or goes on");
    }
}
