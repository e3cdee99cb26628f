// The sockets of tests: see wire.h.
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/require.h"

#define PATIENCE_S 10
#define READ_BYTES_MAX (4 * 1024 * 1024)

static int patient_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    struct timeval patience = {.tv_sec = PATIENCE_S};
    REQUIRE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    REQUIRE(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
    return fd;
}

int wire_connect(uint16_t port)
{
    int fd = patient_socket();
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int wire_listen(uint16_t *port)
{
    int fd = patient_socket();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    REQUIRE(bind(fd, (struct sockaddr *)&address, bytes) == 0 && listen(fd, 64) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

bool wire_send(int fd, const void *data, size_t bytes)
{
    for (size_t sent = 0; sent < bytes;) {
        ssize_t now = send(fd, (const char *)data + sent, bytes - sent, MSG_NOSIGNAL);
        if (now <= 0) {
            return false;
        }
        sent += (size_t)now;
    }
    return true;
}

bool wire_read_all(int fd, struct buf *out)
{
    char piece[65536];
    ssize_t bytes = recv(fd, piece, sizeof(piece), 0);
    for (; bytes > 0; bytes = recv(fd, piece, sizeof(piece), 0)) {
        buf_add(out, piece, (size_t)bytes);
    }
    return bytes == 0;
}

bool wire_read_until(int fd, struct buf *out, const char *text)
{
    char piece[65536];
    while (!memmem(buf_str(out), out->len, text, strlen(text))) {
        ssize_t bytes = recv(fd, piece, sizeof(piece), 0);
        if (bytes <= 0) {
            return false;
        }
        buf_add(out, piece, (size_t)bytes);
    }
    return true;
}

size_t wire_count(const struct buf *text, const char *piece)
{
    size_t count = 0;
    for (const char *at = strstr(buf_str(text), piece); at; at = strstr(at + 1, piece)) {
        count++;
    }
    return count;
}

void wire_talk(struct wire_client *client, int fd)
{
    (void)wire_send(fd, client->request, client->request_bytes); // a server may close before it has read all
    client->ended_well = wire_read_all(fd, &client->reply);
}

static void *client_run(void *cls)
{
    struct wire_client *client = cls;
    int fd = wire_connect(client->port);
    if (fd >= 0) {
        client->talk(client, fd);
        close(fd);
    }
    loop_post(client->loop, &client->ended);
    return NULL;
}

void wire_client_start(struct wire_client *client)
{
    client->reply = BUF_MAX(READ_BYTES_MAX);
    REQUIRE(pthread_create(&client->thread, NULL, client_run, client) == 0);
}

static bool read_request(struct wire_server *server, int fd)
{
    size_t start = server->requests.len;
    struct buf request = BUF_MAX(READ_BYTES_MAX);
    bool whole = wire_read_until(fd, &request, "\r\n\r\n");
    const char *length = whole ? strcasestr(request.data, "\r\nContent-Length:") : NULL;
    size_t body_bytes = length ? strtoul(length + 17, NULL, 10) : 0;
    size_t head_bytes = whole ? (size_t)(strstr(request.data, "\r\n\r\n") + 4 - request.data) : 0;
    while (whole && request.len < head_bytes + body_bytes) {
        char piece[4096];
        ssize_t bytes = recv(fd, piece, sizeof(piece), 0);
        whole = bytes > 0;
        buf_add(&request, piece, bytes > 0 ? (size_t)bytes : 0);
    }
    buf_add(&server->requests, buf_str(&request), request.len);
    buf_release(&request);
    return whole && server->requests.len > start;
}

static void hang_up(int fd, enum wire_after after)
{
    if (after == WIRE_RESET) {
        struct linger at_once = {.l_onoff = 1};
        REQUIRE(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
    }
    if (after == WIRE_HOLD) {
        struct buf rest = BUF_MAX(READ_BYTES_MAX);
        (void)wire_read_all(fd, &rest);
        buf_release(&rest);
    }
    close(fd);
}

static void give_answer(int fd, const struct wire_answer *answer)
{
    if (answer->after == WIRE_CLOSE) {
        // The end leaves in one segment with the last bytes, so that no client has the one without the other.
        const int corked = 1;
        REQUIRE(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &corked, sizeof(corked)) == 0);
    }
    size_t times = answer->repeat > 0 ? answer->repeat : 1;
    bool alive = answer->bytes != NULL;
    for (size_t i = 0; i < times && alive; i++) {
        alive = wire_send(fd, answer->bytes, strlen(answer->bytes));
    }
}

static void *server_run(void *cls)
{
    struct wire_server *server = cls;
    int fd = -1;
    for (size_t i = 0; i < server->answer_count; i++) {
        if (fd < 0) {
            fd = accept(server->listening, NULL, NULL);
            if (fd < 0) { // wire_server_join, or nobody came
                return NULL;
            }
            server->connections++;
        }
        if (!read_request(server, fd)) { // a connection for nothing: the answer is for the next one
            close(fd);
            fd = -1;
            i--;
            continue;
        }
        give_answer(fd, &server->answers[i]);
        if (server->answers[i].after != WIRE_KEEP) {
            hang_up(fd, server->answers[i].after);
            fd = -1;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

void wire_server_start(struct wire_server *server, const struct wire_answer *answers, size_t answer_count)
{
    *server = (struct wire_server){
        .answers = answers, .answer_count = answer_count, .requests = BUF_MAX(READ_BYTES_MAX)};
    server->listening = wire_listen(&server->port);
    REQUIRE(pthread_create(&server->thread, NULL, server_run, server) == 0);
}

void wire_server_join(struct wire_server *server)
{
    (void)shutdown(server->listening, SHUT_RDWR); // ends a waiting accept
    REQUIRE(pthread_join(server->thread, NULL) == 0);
    close(server->listening);
}
