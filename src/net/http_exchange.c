// One request: its head and body turned into on_head, on_request and on_end. Loop thread.
//
//   begin (head) -> body... -> whole request -> answered -> sent -> end
//                                   `-> parked -> http_exchange_reply -^
//
// An answer given before the body has come is kept until the client has sent the rest, which is thrown away:
// the connection can go on then. Only where the rest would be large, or the client waits for 100 Continue,
// the answer goes out at once and the connection closes. Invariant: on_end is called exactly once for each
// exchange that a handler has seen.
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "net/http_server_private.h"

#define DISCARD_BYTES_MAX (1024 * 1024)
#define OUT_HEAD_BYTES_MAX (16 * 1024)

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
    if (exchange->base.body_use.bytes > 0) {
        http_memory_give_back(exchange->connection->server->options.memory, &exchange->base.body_use);
    }
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

// The answer goes out without waiting for the rest of the request, so the connection cannot go on after it.
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

// Whether the body may grow so far.
static bool body_has_room(struct exchange *exchange, size_t bytes)
{
    struct http_exchange *base = &exchange->base;
    struct http_memory *memory = exchange->connection->server->options.memory;
    size_t capacity = buf_capacity_with(&base->body, bytes);
    return capacity == base->body.capacity ||
           ((memory == NULL || http_memory_use(memory, &base->client, capacity, &base->body_use)) &&
            buf_reserve(&base->body, bytes));
}

static void keep_body(struct exchange *exchange, const char *data, size_t bytes)
{
    const struct http_server_options *options = &exchange->connection->server->options;
    if (!body_has_room(exchange, bytes)) {
        body_release(exchange);
        options->on_no_memory(&exchange->base, options->context);
        REQUIRE(exchange->answered);
        return;
    }
    buf_add(&exchange->base.body, data, bytes);
    if (exchange->base.body.overflow) {
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

static bool take_length(struct exchange *exchange)
{
    struct buf *in = &exchange->connection->in;
    size_t bytes = in->len < (uint64_t)exchange->left_bytes ? in->len : (size_t)exchange->left_bytes;
    take_body(exchange, buf_str(in), bytes);
    buf_take(in, bytes);
    exchange->left_bytes -= (int64_t)bytes;
    return exchange->left_bytes == 0;
}

static bool receive(struct exchange *exchange)
{
    const struct http_server_options *options = &exchange->connection->server->options;
    bool whole =
        !exchange->stop_receiving && (exchange->head.chunked ? take_chunks(exchange) : take_length(exchange));
    if (exchange->stop_receiving) {
        answer_send(exchange);
        return true;
    }
    if (whole && !exchange->answered) {
        connection_phase_set(exchange->connection, CONNECTION_PARKED);
        options->on_request(&exchange->base, options->context);
    }
    exchange->whole = whole;
    return whole;
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
            return stream_step(exchange);
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
    answer_send(exchange); // may end the exchange
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
    const struct http_head *head = &exchange_of(exchange)->head;
    size_t bytes = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        bytes += text_equal_nocase(head->fields[i].name, name) ? strlen(head->fields[i].value) + 1 : 0;
    }
    if (bytes == 0) {
        return NULL;
    }
    char *joined = arena_alloc(&exchange->arena, bytes);
    char *end = joined;
    for (size_t i = 0; i < head->field_count; i++) {
        if (text_equal_nocase(head->fields[i].name, name)) {
            end = stpcpy(end, head->fields[i].value);
            *end++ = ',';
        }
    }
    end[-1] = '\0'; // in place of the last comma
    return joined;
}
