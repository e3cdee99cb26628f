// A connection: what comes in waits in `in`, what goes out is written at once or as the socket takes it, and
// exchanges follow each other. Loop thread.
//
// Invariant: only connection_advance and connection_close move an exchange on or end it, never its handler's
// answer. So a handler may answer at any time, and still use its exchange until it returns.
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_server_private.h"

#define LINGER_BYTES_MAX (1024 * 1024)
// Steps that one connection may make before the others are served, however many requests it sent at once.
#define STEPS_MAX 32

// When this turn of the loop began. Exact enough for time-outs of seconds; a request would read the clock
// five times for them.
static int64_t turn_us(const struct http_server *server)
{
    return (int64_t)uv_now(server->uv) * US_PER_MS;
}

void connection_phase_set(struct connection *connection, enum connection_phase phase)
{
    connection->phase = phase;
    connection->phase_since_us = turn_us(connection->server);
    if (phase == CONNECTION_WAITING) { // the next request may have begun to come with the last one
        connection->request_since_us = connection->in.len > 0 ? connection->phase_since_us : 0;
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data); // the server may be gone
}

void connection_close(struct connection *connection)
{
    const struct exchange *exchange = connection->exchange;
    if (connection->closed) {
        return;
    }
    connection->closed = true;
    // For a client of HTTP/1.0 the end of the connection is the end of the body. Only a reset tells it that
    // the body is not whole.
    bool reset =
        exchange != NULL && exchange->sending && exchange->stream.more != NULL && exchange->head.version_1_0;
    if (connection->exchange) {
        exchange_end(connection->exchange);
    }
    buf_release(&connection->in);
    list_remove(&connection->link);
    list_remove(&connection->awake);
    if (!reset || uv_tcp_close_reset(&connection->tcp, on_closed) != 0) {
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
    }
    http_accept_uncount(connection);
}

void connection_linger(struct connection *connection)
{
    int fd = -1;
    REQUIRE(uv_fileno((uv_handle_t *)&connection->tcp, &fd) == 0);
    buf_release(&connection->in);
    if (connection->ended || shutdown(fd, SHUT_WR) != 0) {
        connection_close(connection);
        return;
    }
    connection_phase_set(connection, CONNECTION_LINGERING);
}

static void on_buffer(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;
    *buffer = uv_buf_init(connection->server->scratch, HTTP_READ_BYTES);
    (void)suggested_bytes;
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;
    if (bytes == 0) {
        return; // nothing there after all
    }
    if (bytes > 0 && connection->phase == CONNECTION_LINGERING) {
        explicit_bzero(buffer->base, (size_t)bytes); // it is thrown away, but may hold a key
        connection->discarded_bytes += (size_t)bytes;
        if (connection->discarded_bytes > LINGER_BYTES_MAX) {
            connection_close(connection);
        }
        return;
    }
    if (bytes > 0) {
        connection->received_us = turn_us(connection->server);
        if (connection->request_since_us == 0) {
            connection->request_since_us = connection->received_us;
        }
        buf_add(&connection->in, buffer->base, (size_t)bytes);
        REQUIRE(!connection->in.overflow);
        explicit_bzero(buffer->base, (size_t)bytes);
    } else {
        connection->ended = true; // orderly or not: an answer on its way finds out
    }
    connection_advance(connection);
}

// Watches the socket while there is room for what it brings and nothing else is to be done first.
static void read_more(struct connection *connection)
{
    bool wanted =
        !connection->ended && connection->in.len < HTTP_IN_BYTES_MAX && !list_linked(&connection->awake);
    if (wanted != connection->reading) {
        uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
        REQUIRE((wanted ? uv_read_start(stream, on_buffer, on_read) : uv_read_stop(stream)) == 0);
        connection->reading = wanted;
    }
}

// Moves the exchange on, or begins the next one. False: there is nothing to do now.
static bool step(struct connection *connection)
{
    if (connection->writing || connection->phase == CONNECTION_LINGERING) {
        return false;
    }
    if (connection->exchange) {
        return exchange_step(connection->exchange);
    }
    size_t bytes_max = connection->server->options.head_bytes_max;
    size_t head_bytes = http_head_bytes(buf_str(&connection->in), connection->in.len);
    if (head_bytes == HTTP_HEAD_BROKEN) {
        exchange_begin_refused(connection, 400, "this is not an HTTP/1.1 request");
    } else if (head_bytes > bytes_max || (head_bytes == 0 && connection->in.len > bytes_max)) {
        exchange_begin_refused(connection, 431, "the request line and headers are too large");
    } else if (head_bytes > 0) {
        exchange_begin(connection, head_bytes);
    } else {
        return false;
    }
    return true;
}

void connection_advance(struct connection *connection)
{
    if (connection->closed || connection->advancing) {
        return;
    }
    connection->advancing = true;
    int steps = 0;
    while (steps < STEPS_MAX && !connection->closed && step(connection)) {
        steps++;
    }
    connection->advancing = false;
    if (connection->closed) {
        return;
    }
    bool needs_more = connection->phase == CONNECTION_WAITING || connection->phase == CONNECTION_RECEIVING ||
                      connection->phase == CONNECTION_LINGERING;
    if (steps == STEPS_MAX) {
        connection_wake(connection);
    } else if (connection->ended && needs_more) {
        connection_close(connection);
        return;
    }
    read_more(connection);
}

static void on_next_turn(uv_idle_t *handle)
{
    struct http_server *server = handle->data;
    struct list awake;
    list_init(&awake);
    list_splice(&awake, &server->awake);
    REQUIRE(uv_idle_stop(handle) == 0);
    struct list *node = NULL;
    while ((node = list_take_first(&awake)) != NULL) {
        connection_advance(CONTAINER_OF(node, struct connection, awake));
    }
}

void connection_wake(struct connection *connection)
{
    if (!connection->advancing && !list_linked(&connection->awake)) {
        list_append(&connection->server->awake, &connection->awake);
        REQUIRE(uv_idle_start(&connection->server->next_turn, on_next_turn) == 0);
    }
}

static void written(struct connection *connection, struct exchange *exchange)
{
    connection->writing = false;
    buf_release(&exchange->out_head);
    buf_release(&exchange->out_body);
    exchange->out_tail = NULL;
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    free(write);
    if (connection->closed) {
        return; // status is UV_ECANCELED, and the exchange is gone
    }
    written(connection, connection->exchange);
    if (status != 0) {
        connection_close(connection);
    } else {
        connection_advance(connection);
    }
}

void connection_write(struct connection *connection, struct exchange *exchange)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    const char *tail = exchange->out_tail ? exchange->out_tail : "";
    uv_buf_t parts[] = {
        {.base = exchange->out_head.data, .len = exchange->out_head.len},
        {.base = exchange->out_body.data, .len = exchange->out_body.len},
        {.base = (char *)(uintptr_t)tail, .len = strlen(tail)},
    };
    int taken = uv_try_write(stream, parts, COUNT_OF(parts));
    size_t bytes = taken > 0 ? (size_t)taken : 0;
    if (bytes == parts[0].len + parts[1].len + parts[2].len) {
        written(connection, exchange);
        return;
    }
    if (taken < 0 && taken != UV_EAGAIN) {
        connection_close(connection);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        size_t skipped = bytes < parts[i].len ? bytes : parts[i].len;
        parts[i].base += skipped;
        parts[i].len -= skipped;
        bytes -= skipped;
    }
    uv_write_t *write = malloc(sizeof(*write)); // few answers need one
    REQUIRE(write != NULL);
    write->data = connection;
    connection->writing = true;
    if (uv_write(write, stream, parts, COUNT_OF(parts), on_written) != 0) {
        free(write);
        connection_close(connection);
    }
}

void connection_open(struct http_server *server, int fd, const struct address *peer)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    REQUIRE(connection != NULL);
    connection->server = server;
    connection->peer = *peer;
    connection->in = BUF_MAX(HTTP_IN_BYTES_MAX + HTTP_READ_BYTES);
    connection->tcp.data = connection;
    list_append(&server->connections, &connection->link);
    list_init(&connection->awake);
    http_accept_count(connection);
    connection->received_us = turn_us(server);
    connection_phase_set(connection, CONNECTION_WAITING);
    REQUIRE(uv_tcp_init(server->uv, &connection->tcp) == 0);
    if (uv_tcp_open(&connection->tcp, fd) != 0) {
        close(fd);
        connection_close(connection);
        return;
    }
    (void)uv_tcp_nodelay(&connection->tcp, 1); // an answer is written as a whole
    read_more(connection);
}
