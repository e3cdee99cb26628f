// One connection of the HTTP/2 client: its socket, the tunnel through a proxy, and TLS. Loop thread.
// Invariant: a closed connection has no calls and is in no list; libuv's close callback frees it.
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

// After this long without an acknowledgement the system closes the connection.
#define UNACKNOWLEDGED_MS 10000U
#define READ_BYTES 16384 // a TLS record holds no more
#define READS_MAX 64     // one connection may not keep the others waiting
#define TUNNEL_ANSWER_BYTES_MAX 8192

static void on_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_poll_t *)handle, struct http2_connection, poll)); // its client may be gone
}

void http2_connection_close(struct http2_connection *connection, bool orderly)
{
    static const struct linger at_once = {.l_onoff = 1};
    list_remove(&connection->link);
    if (connection->state >= HTTP2_READY) {
        connection->client->stats.connections--;
        if (!connection->has_answered) {
            http2_dial_pause(connection->client);
        }
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
    struct http2_client *client = connection->client;
    bool was_attempt = connection->state < HTTP2_READY;
    client->stats.lost_total += connection->call_count > 0;
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
    if (was_attempt && client->dial.under_way) {
        (void)snprintf(client->dial.error, sizeof(client->dial.error), "%s", sentence);
        client->dial.failed_count++;
        http2_client_wake(client);
    }
}

void http2_attempts_close(struct http2_client *client)
{
    client->dial.under_way = false;
    timer_stop(client->loop, &client->dial.stagger);
    while (!list_empty(&client->dial.attempts)) {
        http2_connection_lose(CONTAINER_OF(client->dial.attempts.next, struct http2_connection, link),
                              "the dial is over");
    }
}

static void on_poll(uv_poll_t *handle, int status, int events);

// Polls for these events from now on.
static void poll_for(struct http2_connection *connection, int events)
{
    if (connection->polled != events) {
        connection->polled = events;
        if (uv_poll_start(&connection->poll, events, on_poll) != 0) {
            http2_connection_lose(connection, "the connection cannot be watched");
        }
    }
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

// TLS_DONE: all was written. TLS_FAILED: the connection is closed.
static enum tls_result write_out(struct http2_connection *connection)
{
    while (true) {
        if (connection->out_written == connection->out_bytes && !fill_out(connection)) {
            http2_connection_lose(connection, "HTTP/2 failed on this connection");
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
            read_in(connection); // what the server said before it closed the connection still counts
            if (connection->state != HTTP2_CLOSED) {
                http2_connection_lose(connection, "the connection was closed as something was written");
            }
            return TLS_FAILED;
        }
        connection->out_written += count;
    }
}

void http2_connection_flush(struct http2_connection *connection)
{
    // A late request may have been written already, before others in `out`. Those are cut too, and their
    // outcome is asked for.
    bool waits = connection->out_written < connection->out_bytes;
    if (waits && connection->out_before_us != 0 &&
        loop_wall_us(connection->client->loop) >= connection->out_before_us) {
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
    poll_for(connection, UV_READABLE | (wants_write ? UV_WRITABLE : 0));
}

// The server has sent its SETTINGS: the attempt joins the client's connections, and all others are closed.
static void become_ready(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    list_remove(&connection->link);
    list_append(&client->connections, &connection->link);
    client->stats.connections++;
    client->stats.opened_total++;
    if (nghttp2_session_get_remote_settings(connection->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) ==
        0) {
        http2_dial_pause(client); // the next one would allow no stream either
    }
    http2_attempts_close(client);
    http2_client_wake(client);
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
        connection->received_us = loop_mono_us(connection->client->loop);
        connection->pinged_us = 0;
        connection->suspect = false;
        bool was_greeting = connection->state == HTTP2_GREETING;
        bool broken = nghttp2_session_mem_recv(connection->session, data, count) < 0;
        if (was_greeting && connection->state >= HTTP2_READY) {
            become_ready(connection);
        }
        if (broken) {
            http2_connection_lose(connection, "the server violates HTTP/2");
        }
    }
}

static void begin_http2(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    if (!tls_speaks_http2(connection->tls)) {
        http2_session_use_http1(connection);
        http2_attempts_close(client); // this one too
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
        poll_for(connection, UV_READABLE);
        break;
    case TLS_WANTS_WRITE:
        poll_for(connection, UV_WRITABLE);
        break;
    case TLS_ENDED:
    case TLS_FAILED:
        http2_connection_lose(connection, err.message);
        break;
    }
}

// TCP, and the tunnel if there is one, leads to the server.
static void begin_tls(struct http2_connection *connection)
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

static void read_tunnel(struct http2_connection *connection)
{
    char *answer = (char *)connection->out;
    ssize_t bytes = recv(connection->fd, answer + connection->out_bytes,
                         TUNNEL_ANSWER_BYTES_MAX - connection->out_bytes, 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (bytes <= 0) {
        http2_connection_lose(connection, "the proxy closed the connection");
        return;
    }
    connection->out_bytes += (size_t)bytes;
    answer[connection->out_bytes] = '\0';
    enum http2_tunnel_answer means = http2_tunnel_answer(answer, connection->out_bytes);
    if (means == HTTP2_TUNNEL_OPEN) {
        connection->out_bytes = 0;
        begin_tls(connection);
    } else if (means == HTTP2_TUNNEL_REFUSED) {
        http2_connection_lose(connection, "the proxy refuses to connect to the server");
    } else if (means == HTTP2_TUNNEL_MALFORMED || connection->out_bytes == TUNNEL_ANSWER_BYTES_MAX) {
        http2_connection_lose(connection, "the proxy's answer cannot be read, or goes on");
    }
}

static void connected(struct http2_connection *connection)
{
    struct http2_client *client = connection->client;
    int error = 0;
    socklen_t error_bytes = sizeof(error);
    struct err err;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes) != 0 || error != 0) {
        (void)err_set(&err, ERR_IO, "no connection could be made: %s", strerror(error));
        http2_connection_lose(connection, err.message);
        return;
    }
    if (client->proxy.host == NULL) {
        begin_tls(connection);
        return;
    }
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *request = http2_tunnel_request(&arena, &client->origin, client->options.user_agent);
    size_t bytes = strlen(request);
    // A new socket takes so little at once.
    if (send(connection->fd, request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
        http2_connection_lose(connection, "the proxy does not take the request");
        return;
    }
    connection->state = HTTP2_TUNNELLING;
    poll_for(connection, UV_READABLE);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)events;
    struct http2_connection *connection = CONTAINER_OF(handle, struct http2_connection, poll);
    struct http2_client *client = connection->client;
    if (status < 0) { // libuv polls no more; using the socket shows what is wrong
        connection->polled = 0;
    }
    if (connection->state == HTTP2_CONNECTING) {
        connected(connection);
    } else if (connection->state == HTTP2_TUNNELLING) {
        read_tunnel(connection);
    } else if (connection->state == HTTP2_HANDSHAKING) {
        handshake(connection);
    } else {
        read_in(connection);
        if (connection->state != HTTP2_CLOSED) {
            http2_connection_flush(connection); // what nghttp2 says to what it has read
        }
    }
    if (!list_empty(&client->queue)) { // there may be room for a call now
        http2_client_wake(client);
    }
}

// The socket, connecting; -1: it cannot.
static int socket_open(const struct address *address, uint16_t port)
{
    static const int on = 1;
    static const unsigned int unacknowledged_ms = UNACKNOWLEDGED_MS;
    struct sockaddr_storage to;
    socklen_t bytes = address_to_sockaddr(address, port, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    // A system may lack this one. Then an unanswered PING still closes the connection.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof(unacknowledged_ms));
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        (connect(fd, (struct sockaddr *)&to, bytes) != 0 && errno != EINPROGRESS)) {
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
    opened->opened_us = opened->received_us = opened->idle_since_us = loop_mono_us(client->loop);
    list_init(&opened->link);
    list_init(&opened->calls);
    if (uv_poll_init_socket(uv_service_loop_uv(client->service), &opened->poll, fd) != 0) {
        (void)close(fd);
        free(opened);
        return err_set(err, ERR_IO, "the connection cannot be watched");
    }
    opened->polled = UV_WRITABLE;
    if (uv_poll_start(&opened->poll, UV_WRITABLE, on_poll) != 0) {
        http2_connection_close(opened, false);
        return err_set(err, ERR_IO, "the connection cannot be watched");
    }
    *connection = opened;
    return OK;
}
