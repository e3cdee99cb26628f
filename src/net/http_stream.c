// An answer whose body is made piece by piece, at the pace at which the client takes it. Loop thread.
//
// When the socket has taken a piece the handler is asked for the next one, and until that is there the
// connection waits: it neither ends nor times out, so a piece never comes to an exchange that is over. Each
// piece has as long as a whole answer to reach the client. Clients of HTTP/1.0 know no chunks: for them the
// end of the connection is the end of the body, so a body that is cut ends with a reset.
#include <string.h>

#include "base/require.h"
#include "net/http_server_private.h"

static void put_piece(struct exchange *exchange, const void *data, size_t bytes)
{
    REQUIRE(bytes <= HTTP_PIECE_BYTES_MAX);
    exchange->out_body = BUF_MAX(bytes);
    buf_add(&exchange->out_body, data, bytes);
}

void stream_frame(struct exchange *exchange)
{
    size_t bytes = exchange->out_body.len;
    if (exchange->head.version_1_0) {
        return;
    }
    if (bytes > 0) {
        buf_printf(&exchange->out_head, "%zx\r\n", bytes);
    }
    const char *end = exchange->stream.last ? "\r\n0\r\n\r\n" : "\r\n";
    exchange->out_tail = bytes > 0 ? end : end + strlen("\r\n");
}

void stream_begin(struct exchange *exchange, const struct http_reply *reply)
{
    exchange->stream = (struct stream){.more = reply->more};
    if (exchange->head.version_1_0) {
        exchange->close_after = true;
    } else {
        buf_add_str(&exchange->out_head, "Transfer-Encoding: chunked\r\n");
    }
    put_piece(exchange, reply->body, reply->body_bytes);
}

bool stream_step(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct stream *stream = &exchange->stream;
    if (!stream->asked && !stream->given && !stream->cut) {
        stream->asked = true;
        connection_phase_set(connection, CONNECTION_PARKED);
        stream->more(&exchange->base, connection->server->options.context);
    }
    if (stream->cut) {
        connection_close(connection);
        return false;
    }
    if (!stream->given) {
        return false;
    }
    stream->given = false;
    stream->more = stream->last ? NULL : stream->more;
    stream_frame(exchange);
    connection_phase_set(connection, CONNECTION_SENDING);
    connection_write(connection, exchange);
    return true;
}

void http_exchange_more(struct http_exchange *exchange, const void *data, size_t bytes, bool last)
{
    struct exchange *own = exchange_of(exchange);
    REQUIRE(own->stream.asked && (bytes > 0 || last));
    own->stream.asked = false;
    own->stream.given = true;
    own->stream.last = last;
    put_piece(own, data, bytes);
    connection_wake(own->connection);
}

void http_exchange_cut(struct http_exchange *exchange)
{
    struct exchange *own = exchange_of(exchange);
    REQUIRE(own->stream.asked);
    own->stream.asked = false;
    own->stream.cut = true;
    connection_wake(own->connection);
}
