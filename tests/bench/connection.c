// A connection of the load generator: HTTP/1.1, one request at a time, answers with a Content-Length.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/require.h"
#include "load.h"

#define REQUEST_BYTES_MAX 2048

void connection_open(struct connection *connection, int epoll, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connection->fd >= 0);
    REQUIRE(connect(connection->fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    REQUIRE(setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    REQUIRE(fcntl(connection->fd, F_SETFL, O_NONBLOCK) == 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0);
}

// Amounts differ, so that an answer given to the wrong payment is noticed. Those of one idempotency key are
// equal.
static uint64_t amount_of(const char *idempotency_key)
{
    const char *number = strrchr(idempotency_key, '-');
    return number != NULL ? strtoull(number + 1, NULL, 10) : 0;
}

static int write_payment(char *out, size_t bytes_max, const struct connection *connection)
{
    char key[64];
    char body[200];
    const struct request *request = connection->request;
    (void)snprintf(key, sizeof(key), "load-%d-%" PRIu64, (int)getpid(), connection->number);
    const char *used = request->idempotency_key != NULL ? request->idempotency_key : key;
    const uint64_t amount = amount_of(used);
    const int body_bytes = snprintf(body, sizeof(body),
                                    "{\"amount\":\"%" PRIu64 ".%02" PRIu64 "\",\"currency\":\"USD\","
                                    "\"provider\":\"stripe\",\"payment_method\":\"pm_card_visa\"}",
                                    1 + amount % 1000, amount % 97);
    return snprintf(out, bytes_max,
                    "POST %s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\nIdempotency-Key: %s\r\n"
                    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                    request->target, request->api_key, used, body_bytes, body);
}

bool connection_send(struct connection *connection)
{
    char text[REQUEST_BYTES_MAX];
    const struct request *request = connection->request;
    const int bytes = request->pays ? write_payment(text, sizeof(text), connection)
                                    : snprintf(text, sizeof(text),
                                               "GET %s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n\r\n",
                                               request->target, request->api_key);
    REQUIRE(bytes > 0 && bytes < REQUEST_BYTES_MAX);
    connection->busy = true;
    connection->head_bytes = 0;
    connection->left = -1;
    // So little always fits into the socket's buffer: the answer to the request before it has come.
    return send(connection->fd, text, (size_t)bytes, MSG_NOSIGNAL) == bytes;
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
    connection->closes = strcasestr(head, "\r\nConnection: close") != NULL;
    return true;
}

enum received connection_receive(struct connection *connection)
{
    static char ignored[1 << 16];
    const bool in_head = connection->busy && connection->left < 0;
    char *to = in_head ? connection->head + connection->head_bytes : ignored;
    const size_t room = in_head ? HEAD_BYTES_MAX - 1 - connection->head_bytes : sizeof(ignored);
    const ssize_t got = recv(connection->fd, to, room, 0);
    if (got < 0 && errno == EAGAIN) {
        return RECEIVED_PART;
    }
    if (got <= 0 || !connection->busy) {
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
