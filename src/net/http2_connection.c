// One connection of the HTTP/2 client: its socket, its TLS, and when it is no longer believed in. Loop
// thread. Invariant: a connection that is closed has no calls and is in no list; its memory goes when libuv
// has let go of it.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http2_private.h"

// What the other machine has not acknowledged for so long is lost with the connection.
#define UNACKNOWLEDGED_MS 10000U
#define HTTP1_ONLY_US (600 * US_PER_S) // then the server is asked again whether it speaks HTTP/2
#define READ_BYTES 16384               // a TLS record holds no more
#define READS_MAX 64                   // one connection may not keep the others waiting

static void on_closed(uv_handle_t *handle)
{
    struct http2_connection *connection = CONTAINER_OF((uv_poll_t *)handle, struct http2_connection, poll);
    struct http2_client *client = connection->client;
    free(connection);
    http2_client_release(client);
}

void http2_connection_close(struct http2_connection *connection, bool orderly)
{
    static const struct linger at_once = {.l_onoff = 1};
    list_remove(&connection->link);
    if (connection->state >= HTTP2_READY) {
        connection->client->stats.connections--;
        http2_dial_pause_if_useless(connection);
    }
    connection->state = HTTP2_CLOSED;
    nghttp2_session_del(connection->session);
    connection->session = NULL;
    tls_close(connection->tls, orderly);
    connection->tls = NULL;
    if (!orderly) {
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    (void)close(connection->fd);
}

void http2_connection_lose(struct http2_connection *connection, const char *sentence)
{
    bool was_opening = connection->state < HTTP2_READY;
    connection->client->stats.lost_total += connection->call_count > 0;
    LIST_EACH_SAFE(&connection->calls, node, after)
    {
        struct http2_call *call = CONTAINER_OF(node, struct http2_call, link);
        if (call->headers_sent) {
            call->http->lost_connection = connection->serial;
            http2_call_end(call, HTTP_CUT, sentence);
        } else {
            http2_call_requeue(call, sentence);
        }
    }
    http2_connection_close(connection, false);
    if (was_opening) {
        http2_dial_failed(connection, sentence);
    }
}

static void on_poll(uv_poll_t *handle, int status, int events);

// False: the connection is closed.
bool http2_connection_poll(struct http2_connection *connection, int events)
{
    if (connection->polled == events) {
        return true;
    }
    connection->polled = events;
    if (uv_poll_start(&connection->poll, events, on_poll) != 0) {
        http2_connection_lose(connection, "the connection cannot be watched");
        return false;
    }
    return true;
}

// Whether `out` waits although the time of a request in it is over. That request may have been written by
// now; then others are cut for it, which costs them a second question.
static bool out_is_late(const struct http2_connection *connection)
{
    return connection->out_written < connection->out_bytes && connection->out_before_us != 0 &&
           loop_wall_us(connection->client->loop) >= connection->out_before_us;
}

// Takes from nghttp2 until the buffer counts as full. False: the session is broken.
static bool fill_out(struct http2_connection *connection)
{
    connection->out_bytes = connection->out_written = 0;
    connection->out_before_us = 0;
    while (connection->out_bytes < HTTP2_OUT_FULL_BYTES) {
        const uint8_t *data = NULL;
        ssize_t bytes = nghttp2_session_mem_send(connection->session, &data);
        if (bytes <= 0) {
            return bytes == 0;
        }
        if ((size_t)bytes > sizeof(connection->out) - connection->out_bytes) {
            return false;
        }
        memcpy(connection->out + connection->out_bytes, data, (size_t)bytes);
        connection->out_bytes += (size_t)bytes;
    }
    return true;
}

static void read_in(struct http2_connection *connection);

// What the server said before it closed the connection still counts.
static void lose_after_reading(struct http2_connection *connection, const char *sentence)
{
    read_in(connection);
    if (connection->state != HTTP2_CLOSED) {
        http2_connection_lose(connection, sentence);
    }
}

// TLS_DONE: all was written. TLS_FAILED: the connection is closed.
static enum tls_result write_out(struct http2_connection *connection)
{
    while (true) {
        if (connection->out_written == connection->out_bytes && !fill_out(connection)) {
            http2_connection_lose(connection, "HTTP/2 cannot go on on this connection");
            return TLS_FAILED;
        }
        if (connection->out_bytes == 0) {
            return TLS_DONE;
        }
        size_t count = 0;
        enum tls_result result = tls_write(connection->tls, connection->out + connection->out_written,
                                           connection->out_bytes - connection->out_written, &count);
        if (result == TLS_WANTS_WRITE || result == TLS_WANTS_READ) {
            return result;
        }
        if (result != TLS_DONE) {
            lose_after_reading(connection, "the connection was closed as something was written");
            return TLS_FAILED;
        }
        connection->out_written += count;
    }
}

void http2_connection_flush(struct http2_connection *connection)
{
    if (out_is_late(connection)) {
        http2_connection_lose(connection, "what was to be written waited until it was too late");
        return;
    }
    enum tls_result result = write_out(connection);
    if (result == TLS_FAILED) {
        return;
    }
    connection->blocked = result != TLS_DONE;
    if (!nghttp2_session_want_read(connection->session) && !nghttp2_session_want_write(connection->session)) {
        http2_connection_lose(connection, "the connection is over");
        return;
    }
    bool wants_write = result == TLS_WANTS_WRITE || connection->read_wants_write;
    (void)http2_connection_poll(connection, UV_READABLE | (wants_write ? UV_WRITABLE : 0));
}

static void read_in(struct http2_connection *connection)
{
    unsigned char data[READ_BYTES];
    for (int i = 0; i < READS_MAX && connection->state != HTTP2_CLOSED; i++) {
        size_t count = 0;
        enum tls_result result = tls_read(connection->tls, data, sizeof(data), &count);
        connection->read_wants_write = result == TLS_WANTS_WRITE;
        if (result == TLS_WANTS_READ || result == TLS_WANTS_WRITE) {
            return;
        }
        if (result != TLS_DONE) {
            http2_connection_lose(connection, result == TLS_ENDED ? "the server closed the connection"
                                                                  : "the connection was cut");
            return;
        }
        connection->heard_us = loop_mono_us(connection->client->loop);
        connection->pinged_us = 0;
        connection->suspect = false;
        if (nghttp2_session_mem_recv(connection->session, data, count) < 0) {
            http2_connection_lose(connection, "the server does not keep to HTTP/2");
        }
    }
}

void http2_connection_use_http1(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    client->http1_until_us = loop_mono_us(client->loop) + HTTP1_ONLY_US;
    http2_connection_retire(connection);
}

static void begin_http2(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    if (!tls_speaks_http2(connection->tls)) {
        http2_connection_use_http1(connection);
        http2_dial_stop(client); // closes this attempt too
        http2_client_wake(client);
        return;
    }
    connection->state = HTTP2_GREETING;
    if (!http2_session_begin(connection)) {
        http2_connection_lose(connection, "HTTP/2 cannot begin on this connection");
        return;
    }
    http2_connection_flush(connection);
}

static void handshake(struct http2_connection *connection)
{
    struct err err;
    switch (tls_handshake(connection->tls, &err)) {
    case TLS_DONE:
        begin_http2(connection);
        break;
    case TLS_WANTS_READ:
        (void)http2_connection_poll(connection, UV_READABLE);
        break;
    case TLS_WANTS_WRITE:
        (void)http2_connection_poll(connection, UV_WRITABLE);
        break;
    case TLS_ENDED:
    case TLS_FAILED:
        http2_connection_lose(connection, err.message);
        break;
    }
}

void http2_connection_secure(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    struct err err;
    if (tls_open(client->tls, connection->fd, client->origin.host, client->origin.host_is_address,
                 &connection->tls, &err) != OK) {
        http2_connection_lose(connection, err.message);
        return;
    }
    connection->state = HTTP2_HANDSHAKING;
    handshake(connection);
}

static void connected(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    int error = 0;
    socklen_t bytes = sizeof(error);
    struct err err;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error != 0) {
        (void)err_set(&err, ERR_IO, "no connection could be made: %s", strerror(error));
        http2_connection_lose(connection, err.message);
        return;
    }
    if (client->proxy.host != NULL) {
        http2_tunnel_begin(connection);
    } else {
        http2_connection_secure(connection);
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)events;
    struct http2_connection *connection = CONTAINER_OF(handle, struct http2_connection, poll);
    if (status < 0) { // libuv polls no more; what is wrong shows as the socket is used
        connection->polled = 0;
    }
    struct http2_client *client = connection->client;
    if (connection->state == HTTP2_CONNECTING) {
        connected(connection);
    } else if (connection->state == HTTP2_TUNNELLING) {
        http2_tunnel_read(connection);
    } else if (connection->state == HTTP2_HANDSHAKING) {
        handshake(connection);
    } else {
        read_in(connection);
        if (connection->state == HTTP2_GREETING) {
            http2_connection_flush(connection);
        }
    }
    http2_client_turn(client); // writes what nghttp2 has to say, and ends what was answered
}

static bool socket_set_up(int fd)
{
    static const int on = 1;
    static const unsigned int unacknowledged_ms = UNACKNOWLEDGED_MS;
    // A system may lack it; a PING that is not answered tells too.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof(unacknowledged_ms));
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0;
}

// The socket, connecting; -1: it cannot.
static int socket_open(const struct address *address, uint16_t port)
{
    struct sockaddr_storage to;
    socklen_t bytes = address_to_sockaddr(address, port, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    if (!socket_set_up(fd) || (connect(fd, (struct sockaddr *)&to, bytes) != 0 && errno != EINPROGRESS)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

enum errc http2_connection_open(struct http2_client *client, const struct address *address,
                                struct http2_connection **connection, struct err *err)
{
    int fd = socket_open(address, client->proxy.host != NULL ? client->proxy.port : client->origin.port);
    if (fd < 0) {
        return err_set(err, ERR_IO, "no connection could be made: %s", strerror(errno));
    }
    struct http2_connection *opened = calloc(1, sizeof(*opened));
    REQUIRE(opened != NULL);
    opened->client = client;
    opened->fd = fd;
    opened->serial = ++client->last_serial;
    opened->born_us = opened->heard_us = opened->idle_since_us = loop_mono_us(client->loop);
    list_init(&opened->link);
    list_init(&opened->calls);
    if (uv_poll_init_socket(uv_service_loop_uv(client->service), &opened->poll, fd) != 0) {
        (void)close(fd);
        free(opened);
        return err_set(err, ERR_IO, "the connection cannot be watched");
    }
    client->open_handles++;
    opened->polled = UV_WRITABLE;
    if (uv_poll_start(&opened->poll, UV_WRITABLE, on_poll) != 0) {
        http2_connection_close(opened, false);
        return err_set(err, ERR_IO, "the connection cannot be watched");
    }
    *connection = opened;
    return OK;
}
