// How long a connection of the HTTP/2 client is trusted. Many calls share it, so a dead one that was never
// closed would hold them all. Loop thread.
#include "net/http2_private.h"

#define OPENING_US (10 * US_PER_S) // from the first packet to the server's SETTINGS
// After this much silence with calls under way, a PING asks whether the server is there. Without an answer,
// new calls go to other connections after SUSPECT_US, and the connection closes after UNANSWERED_US.
#define SILENCE_US (5 * US_PER_S)
#define SUSPECT_US (1 * US_PER_S)
#define UNANSWERED_US (3 * US_PER_S)
// A request that flow control holds back for this long is abandoned.
#define UNWRITTEN_US (5 * US_PER_S)
#define IDLE_US (60 * US_PER_S)
#define LIFE_US (600 * US_PER_S)

static void ping(struct http2_connection *connection, int64_t now_us)
{
    connection->pinged_us = now_us;
    // It fails only without memory. A server that cannot be asked counts as one that does not answer.
    (void)nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
}

void http2_connection_probe(struct http2_connection *connection, int64_t now_us)
{
    connection->suspect |= now_us - connection->received_us >= SUSPECT_US;
    if (connection->pinged_us == 0) {
        ping(connection, now_us);
    }
}

void http2_connection_check(struct http2_connection *connection, int64_t now_us)
{
    if (connection->state < HTTP2_READY) {
        if (now_us - connection->opened_us >= OPENING_US) {
            http2_connection_lose(connection, "no connection was ready in time");
        }
        return;
    }
    LIST_EACH_SAFE(&connection->calls, node, after)
    {
        struct http2_call *call = CONTAINER_OF(node, struct http2_call, link);
        if (call->body_sent_bytes < call->http->body_bytes && now_us - call->submitted_us >= UNWRITTEN_US) {
            http2_session_reset(call);
            http2_call_end(call, HTTP_CUT, "the server did not take the request in time");
            http2_session_retire(connection); // the next request could not be written either
        }
    }
    if (now_us - connection->opened_us >= LIFE_US) {
        http2_session_retire(connection);
    }
    bool over = connection->state == HTTP2_RETIRING || now_us - connection->idle_since_us >= IDLE_US;
    if (connection->call_count == 0 && over) {
        http2_connection_close(connection, connection->pinged_us == 0 && !connection->blocked);
    } else if (connection->pinged_us != 0 && now_us - connection->pinged_us >= UNANSWERED_US) {
        http2_connection_lose(connection, "the connection went silent");
    } else if (connection->pinged_us != 0 && now_us - connection->pinged_us >= SUSPECT_US) {
        connection->suspect = true;
    } else if (connection->pinged_us == 0 && connection->call_count > 0 &&
               now_us - connection->received_us >= SILENCE_US) {
        ping(connection, now_us);
    }
}
