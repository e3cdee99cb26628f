// A connection is opened without waiting for it: a server that is slow to accept delays no other request.
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/require.h"

static void open_socket(struct connection *connection, int epoll, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(connection->fd >= 0);
    REQUIRE(setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    const int rc = connect(connection->fd, (const struct sockaddr *)&address, sizeof(address));
    REQUIRE(rc == 0 || errno == EINPROGRESS);
    connection->connecting = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0);
}

bool connection_send(struct connection *connection, int epoll, uint16_t port)
{
    char text[REQUEST_BYTES_MAX];
    connection->head_bytes = 0;
    connection->left = -1;
    if (connection->fd < 0) {
        open_socket(connection, epoll, port);
        return true;
    }
    if (connection->connecting) {
        connection->connecting = false;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        REQUIRE(epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0);
    }
    const struct request *request = connection->request;
    request_write(request, connection->number, text);
    const ssize_t sent = send(connection->fd, text, request->bytes, MSG_NOSIGNAL);
    // So little always fits into the socket's buffer: the answer to the request before it has come.
    REQUIRE(sent < 0 ? errno != EAGAIN : (size_t)sent == request->bytes);
    return sent > 0;
}

// Whether the head is whole; then takes what matters from it.
static bool read_head(struct connection *connection)
{
    static const char length_name[] = "\r\nContent-Length:";
    char *head = connection->head;
    head[connection->head_bytes] = '\0';
    char *end = strstr(head, "\r\n\r\n");
    if (end == NULL) {
        REQUIRE(connection->head_bytes < HEAD_BYTES_MAX - 1);
        return false;
    }
    const size_t body_bytes = connection->head_bytes - (size_t)(end + 4 - head);
    end[2] = '\0';
    const char *length = strcasestr(head, length_name);
    REQUIRE(strncmp(head, "HTTP/1.1 ", 9) == 0 && length != NULL);
    connection->status = (int)strtol(head + 9, NULL, 10);
    connection->left = strtoll(length + sizeof(length_name) - 1, NULL, 10) - (int64_t)body_bytes;
    connection->retry_after = strcasestr(head, "\r\nRetry-After:") != NULL;
    // A server may refuse a connection with an answer before it has the request.
    connection->closes = connection->connecting || strcasestr(head, "\r\nConnection: close") != NULL;
    return true;
}

enum received connection_receive(struct connection *connection)
{
    static char ignored[1 << 16];
    const bool in_head = connection->left < 0;
    char *to = in_head ? connection->head + connection->head_bytes : ignored;
    const size_t room = in_head ? HEAD_BYTES_MAX - 1 - connection->head_bytes : sizeof(ignored);
    const ssize_t got = recv(connection->fd, to, room, 0);
    if (got < 0 && errno == EAGAIN) {
        return RECEIVED_PART;
    }
    if (got <= 0 || connection->left == 0) {
        return RECEIVED_END;
    }
    if (in_head) {
        connection->head_bytes += (size_t)got;
        if (!read_head(connection)) {
            return RECEIVED_PART;
        }
    } else {
        connection->left -= got;
    }
    REQUIRE(connection->left >= 0);
    return connection->left == 0 ? RECEIVED_ANSWER : RECEIVED_PART;
}

void connection_close(struct connection *connection)
{
    (void)close(connection->fd); // which also takes it out of the epoll descriptor
    connection->fd = -1;
}
