// An answer whose body is made piece by piece, at the pace at which the client takes it. Loop thread.
//
// libmicrohttpd asks for bytes when its socket takes some. When the piece is used up the handler is asked for
// the next one, and until that is there the connection is suspended: it can neither end nor time out, so a
// piece never comes to an exchange that is over. Each piece has as long as a whole answer to reach the
// client.
#include <string.h>

#include "base/require.h"
#include "net/http_server_private.h"

// What libmicrohttpd copies at once, at most, where the client cannot take chunks (HTTP/1.0).
#define BLOCK_BYTES (16 * 1024)

static void suspend_until_more(struct exchange *exchange)
{
    exchange->suspended = true;
    connection_phase_set(exchange->connection, CONNECTION_PARKED);
    MHD_suspend_connection(exchange->connection->mhd);
}

static ssize_t stream_read(void *cls, uint64_t position, char *out, size_t bytes_max)
{
    (void)position;
    struct exchange *exchange = cls;
    struct stream *stream = &exchange->stream;
    if (stream->sent_bytes == stream->piece.len && !stream->last && !stream->cut) {
        stream->asked = true;
        stream->more(&exchange->base, exchange->server->options.context);
    }
    if (stream->cut) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t left_bytes = stream->piece.len - stream->sent_bytes;
    if (left_bytes == 0 && stream->last) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (left_bytes == 0) {
        suspend_until_more(exchange);
        return 0;
    }
    size_t bytes = left_bytes < bytes_max ? left_bytes : bytes_max;
    memcpy(out, stream->piece.data + stream->sent_bytes, bytes);
    stream->sent_bytes += bytes;
    return (ssize_t)bytes;
}

static void put_piece(struct stream *stream, const void *data, size_t bytes)
{
    buf_release(&stream->piece);
    stream->sent_bytes = 0;
    buf_add(&stream->piece, data, bytes);
    REQUIRE(!stream->piece.overflow);
}

struct MHD_Response *stream_open(struct exchange *exchange, const struct http_reply *reply)
{
    exchange->stream = (struct stream){.more = reply->more, .piece = BUF_MAX(HTTP_PIECE_BYTES_MAX)};
    put_piece(&exchange->stream, reply->body, reply->body_bytes);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, stream_read, exchange, NULL);
}

static void go_on(struct exchange *exchange)
{
    connection_phase_set(exchange->connection, CONNECTION_SENDING);
    if (exchange->suspended) {
        exchange_unpark(exchange);
        http_server_wake(exchange->server);
    }
}

void http_exchange_more(struct http_exchange *exchange, const void *data, size_t bytes, bool last)
{
    struct exchange *own = CONTAINER_OF(exchange, struct exchange, base);
    REQUIRE(own->stream.asked && (bytes > 0 || last));
    own->stream.asked = false;
    own->stream.last = last;
    put_piece(&own->stream, data, bytes);
    go_on(own);
}

void http_exchange_cut(struct http_exchange *exchange)
{
    struct exchange *own = CONTAINER_OF(exchange, struct exchange, base);
    REQUIRE(own->stream.asked);
    own->stream.asked = false;
    own->stream.cut = true;
    go_on(own);
}
