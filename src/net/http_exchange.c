// One request and its answer: on_head, on_request, http_exchange_reply and on_end. Loop thread.
//
//   begin (head) -> body... -> whole request -> answered -> sent -> end
//                                   `-> parked -> http_exchange_reply -^
//
// An answer given before the body has come waits until the client has sent the rest, which is thrown away:
// the connection can go on then. Where the rest would be large, or the client waits for 100 Continue, the
// answer goes out at once and the connection closes. Invariant: on_end is called exactly once for each
// exchange that a handler has seen.
//
// An answer may come in pieces. When the socket has taken a piece, the handler is asked for the next one.
// Until that is there the connection waits: it neither ends nor times out, so a piece never comes to an
// exchange that is over. Each piece has as long as a whole answer to reach the client. Clients of HTTP/1.0
// know no chunks: for them the end of the connection is the end of the body, so a body that is cut ends with
// a reset.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/http_server_private.h"

#define DISCARD_BYTES_MAX (1024 * 1024)
#define OUT_HEAD_BYTES_MAX (16 * 1024)
#define OUT_HEAD_BYTES_USUAL 400

static struct exchange *exchange_of(struct http_exchange *base)
{
    return CONTAINER_OF(base, struct exchange, base);
}

static struct exchange *exchange_new(struct connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    REQUIRE(exchange != NULL);
    exchange->connection = connection;
    exchange->base.connection = connection;
    exchange->base.peer = exchange->base.client = connection->peer;
    exchange->base.path = exchange->base.query = "";
    exchange->head = (struct http_head){.method = "", .target = ""};
    exchange->out_head = BUF_MAX(OUT_HEAD_BYTES_MAX);
    connection->exchange = exchange;
    connection_phase_set(connection, CONNECTION_RECEIVING);
    return exchange;
}

static void body_release(struct exchange *exchange)
{
    buf_release(&exchange->base.body);
    if (exchange->base.body_memory.bytes > 0) {
        http_memory_release(exchange->connection->server->options.memory, &exchange->base.body_memory);
    }
}

void http_exchange_forget_body(struct http_exchange *exchange)
{
    body_release(exchange_of(exchange));
}

void exchange_end(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct http_server *server = connection->server;
    if (exchange->seen) {
        server->options.on_end(&exchange->base, server->options.context);
        server->exchange_count--;
    }
    connection->exchange = NULL;
    connection_phase_set(connection, CONNECTION_WAITING);
    buf_release(&exchange->out_head);
    buf_release(&exchange->out_body);
    body_release(exchange);
    arena_release(&exchange->base.arena);
    free(exchange);
}

static void mark_seen(struct exchange *exchange)
{
    exchange->connection->server->exchange_count += !exchange->seen;
    exchange->seen = true;
}

// Sends the answer without waiting for the rest of the request. The connection cannot go on after it.
static void stop_receiving(struct exchange *exchange)
{
    exchange->stop_receiving = exchange->close_after = true;
}

static void refuse(struct exchange *exchange, int status, const char *sentence)
{
    const struct http_server_options *options = &exchange->connection->server->options;
    stop_receiving(exchange);
    mark_seen(exchange);
    if (exchange->answered) { // early, and kept until the body is there
        return;
    }
    if (options->on_malformed) {
        options->on_malformed(&exchange->base, status, sentence, options->context);
        REQUIRE(exchange->answered);
        return;
    }
    http_exchange_reply(&exchange->base, &(struct http_reply){.status = status,
                                                              .content_type = "text/plain",
                                                              .body = sentence,
                                                              .body_bytes = strlen(sentence)});
}

static void ask_too_large(struct exchange *exchange)
{
    const struct http_server_options *options = &exchange->connection->server->options;
    options->on_too_large(&exchange->base, options->context);
    REQUIRE(exchange->answered);
}

void exchange_begin_refused(struct connection *connection, int status, const char *sentence)
{
    struct exchange *exchange = exchange_new(connection);
    exchange->base.method = exchange->head.method;
    refuse(exchange, status, sentence);
}

void exchange_time_out(struct exchange *exchange)
{
    refuse(exchange, 408, HTTP_TOO_SLOW);
    connection_wake(exchange->connection);
}

void exchange_begin(struct connection *connection, size_t head_bytes)
{
    const struct http_server_options *options = &connection->server->options;
    struct exchange *exchange = exchange_new(connection);
    struct http_exchange *base = &exchange->base;
    struct http_head *head = &exchange->head;
    const char *refusal = http_head_read(connection->in.data, head_bytes, &base->arena, head);
    buf_take(&connection->in, head_bytes);
    base->method = head->method;
    if (!refusal) {
        refusal = http_target_read(head->target, &base->arena, &base->path, &base->query);
    }
    if (refusal) {
        refuse(exchange, 400, refusal);
        return;
    }
    exchange->left_bytes = head->content_bytes;
    exchange->close_after = !head->keep_alive;
    mark_seen(exchange);
    options->on_head(base, options->context);
    base->body.max = base->body_bytes_max;
    if (!exchange->answered && head->content_bytes > 0 &&
        (uint64_t)head->content_bytes > base->body_bytes_max) {
        ask_too_large(exchange);
    }
    bool cannot_wait = head->expects_continue || head->content_bytes > DISCARD_BYTES_MAX;
    if (exchange->answered && head->has_body && cannot_wait) {
        stop_receiving(exchange);
    } else if (head->expects_continue && connection->in.len == 0) {
        buf_add_str(&exchange->out_head, "HTTP/1.1 100 Continue\r\n\r\n");
        connection_write(connection, exchange);
    }
}

static void keep_body(struct exchange *exchange, const char *data, size_t bytes)
{
    struct http_exchange *base = &exchange->base;
    const struct http_server_options *options = &exchange->connection->server->options;
    struct http_memory *memory = options->memory;
    size_t capacity = buf_capacity_with(&base->body, bytes);
    bool grows = capacity != base->body.capacity;
    if (grows &&
        ((memory != NULL && !http_memory_reserve(memory, &base->client, capacity, &base->body_memory)) ||
         !buf_reserve(&base->body, bytes))) {
        body_release(exchange);
        options->on_no_memory(base, options->context);
        REQUIRE(exchange->answered);
        return;
    }
    buf_add(&base->body, data, bytes);
    if (base->body.overflow) {
        body_release(exchange);
        ask_too_large(exchange);
    }
}

static void take_body(struct exchange *exchange, const char *data, size_t bytes)
{
    if (exchange->answered) {
        exchange->discarded_bytes += bytes;
        if (exchange->discarded_bytes > DISCARD_BYTES_MAX) {
            stop_receiving(exchange);
        }
    } else if (exchange->base.body_unread) {
        exchange->unread_bytes += bytes;
        if (exchange->unread_bytes > exchange->base.body_bytes_max) {
            ask_too_large(exchange);
        }
    } else {
        keep_body(exchange, data, bytes);
    }
}

// Takes what belongs to the body out of what came; whether it is whole.
static bool take_chunks(struct exchange *exchange)
{
    struct buf *in = &exchange->connection->in;
    const char *data = buf_str(in);
    size_t left_bytes = in->len;
    const char *piece = NULL;
    size_t bytes = 0;
    enum http_chunks_result result;
    while ((result = http_chunks_next(&exchange->chunks, &data, &left_bytes, &piece, &bytes)) ==
           HTTP_CHUNKS_PIECE) {
        take_body(exchange, piece, bytes);
    }
    buf_take(in, in->len - left_bytes);
    if (result == HTTP_CHUNKS_BAD) {
        refuse(exchange, 400, "the body's chunks are malformed");
    }
    return result == HTTP_CHUNKS_END;
}

static void send_answer(struct exchange *exchange)
{
    struct buf *out = &exchange->out_head;
    exchange->sending = true;
    exchange->close_after |= exchange->connection->server->draining;
    if (exchange->close_after) {
        buf_add_str(out, "Connection: close\r\n");
    } else if (exchange->head.version_1_0) {
        buf_add_str(out, "Connection: keep-alive\r\n");
    }
    buf_add_str(out, "\r\n");
    if (text_equal(exchange->base.method, "HEAD")) {
        buf_release(&exchange->out_body);
        exchange->stream.more = NULL;
    } else if (exchange->stream.more != NULL && !exchange->head.version_1_0) {
        exchange->out_tail = answer_add_chunk(out, exchange->out_body.len, false);
    }
    REQUIRE(!out->overflow);
    connection_phase_set(exchange->connection, CONNECTION_SENDING);
    connection_write(exchange->connection, exchange);
}

static bool receive(struct exchange *exchange)
{
    const struct http_server_options *options = &exchange->connection->server->options;
    bool whole = false;
    if (!exchange->stop_receiving && exchange->head.chunked) {
        whole = take_chunks(exchange);
    } else if (!exchange->stop_receiving) {
        struct buf *in = &exchange->connection->in;
        size_t bytes = in->len < (uint64_t)exchange->left_bytes ? in->len : (size_t)exchange->left_bytes;
        take_body(exchange, buf_str(in), bytes);
        buf_take(in, bytes);
        exchange->left_bytes -= (int64_t)bytes;
        whole = exchange->left_bytes == 0;
    }
    if (exchange->stop_receiving) {
        send_answer(exchange);
        return true;
    }
    if (whole && !exchange->answered) {
        connection_phase_set(exchange->connection, CONNECTION_PARKED);
        options->on_request(&exchange->base, options->context);
    }
    exchange->whole = whole;
    return whole;
}

// After a piece was written. False: the next one is being made, or the connection is closed.
static bool send_next_piece(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct stream *stream = &exchange->stream;
    if (stream->state == STREAM_IDLE) {
        stream->state = STREAM_ASKED;
        connection_phase_set(connection, CONNECTION_PARKED);
        stream->more(&exchange->base, connection->server->options.context);
    }
    if (stream->state == STREAM_CUT) {
        connection_close(connection);
        return false;
    }
    if (stream->state != STREAM_GIVEN) {
        return false;
    }
    stream->state = STREAM_IDLE;
    stream->more = stream->last ? NULL : stream->more;
    if (!exchange->head.version_1_0) {
        exchange->out_tail = answer_add_chunk(&exchange->out_head, exchange->out_body.len, stream->last);
    }
    connection_phase_set(connection, CONNECTION_SENDING);
    connection_write(connection, exchange);
    return true;
}

bool exchange_step(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    if (exchange->dropped) {
        connection_close(connection);
        return false;
    }
    if (exchange->sending) {
        if (exchange->stream.more != NULL) {
            return send_next_piece(exchange);
        }
        bool close_after = exchange->close_after;
        exchange_end(exchange);
        if (close_after) {
            connection_linger(connection);
        }
        return true;
    }
    if (!exchange->whole) {
        return receive(exchange);
    }
    if (!exchange->answered) {
        return false;
    }
    send_answer(exchange); // may end the exchange
    return true;
}

const char *http_exchange_header(struct http_exchange *exchange, const char *name, bool *repeated)
{
    size_t count = 0;
    const char *value = http_head_field(&exchange_of(exchange)->head, name, &count);
    if (repeated) {
        *repeated = count > 1;
    }
    return value;
}

const char *http_exchange_header_list(struct http_exchange *exchange, const char *name)
{
    return http_head_list(&exchange_of(exchange)->head, name, &exchange->arena);
}

static void put_body(struct exchange *exchange, const void *data, size_t bytes)
{
    exchange->out_body = BUF_MAX(bytes);
    buf_add(&exchange->out_body, data, bytes);
}

void http_exchange_reply(struct http_exchange *exchange, const struct http_reply *reply)
{
    struct exchange *self = exchange_of(exchange);
    struct http_server *server = self->connection->server;
    REQUIRE(!self->answered);
    self->answered = true;
    time_t now_s = (time_t)(loop_wall_us(server->loop) / US_PER_S);
    if (now_s != server->date_s) { // the text is made once a second
        struct tm utc;
        REQUIRE(gmtime_r(&now_s, &utc) != NULL);
        REQUIRE(strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &utc) > 0);
        server->date_s = now_s;
    }
    struct buf *out = &self->out_head;
    REQUIRE(buf_reserve(out, OUT_HEAD_BYTES_USUAL));
    answer_add_head(out, reply, server->date);
    self->stream.more = reply->more;
    if (reply->more != NULL && self->head.version_1_0) {
        self->close_after = true;
    } else if (reply->more != NULL) {
        buf_add_str(out, "Transfer-Encoding: chunked\r\n");
    }
    REQUIRE(reply->more == NULL || reply->body_bytes <= HTTP_PIECE_BYTES_MAX);
    put_body(self, reply->body, reply->body_bytes);
    connection_wake(self->connection);
}

void http_exchange_more(struct http_exchange *exchange, const void *data, size_t bytes, bool last)
{
    struct exchange *self = exchange_of(exchange);
    REQUIRE(self->stream.state == STREAM_ASKED && (bytes > 0 || last) && bytes <= HTTP_PIECE_BYTES_MAX);
    self->stream.state = STREAM_GIVEN;
    self->stream.last = last;
    put_body(self, data, bytes);
    connection_wake(self->connection);
}

void http_exchange_cut(struct http_exchange *exchange)
{
    struct exchange *self = exchange_of(exchange);
    REQUIRE(self->stream.state == STREAM_ASKED);
    self->stream.state = STREAM_CUT;
    connection_wake(self->connection);
}

void http_exchange_drop(struct http_exchange *exchange)
{
    struct exchange *self = exchange_of(exchange);
    REQUIRE(!self->answered);
    self->dropped = true;
    connection_wake(self->connection);
}
