// How long a connection of the HTTP/2 client is trusted: with new calls, with those that it has, at all. Loop
// thread. Many calls share a connection, so one that is dead without having been closed would hold them all.
#include "base/timefmt.h"
#include "net/http2_private.h"

#define OPENING_US (10 * US_PER_S) // from the first packet to the server's SETTINGS
// After so much silence with calls under way the server is asked (PING). Unanswered, new calls go elsewhere
// after DOUBT_US, and the connection is closed after UNANSWERED_US.
#define SILENCE_US (5 * US_PER_S)
#define DOUBT_US (1 * US_PER_S)
#define UNANSWERED_US (3 * US_PER_S)
// A request that flow control holds back for so long is given up.
#define UNWRITTEN_US (5 * US_PER_S)
#define IDLE_US (60 * US_PER_S)
#define LIFE_US (600 * US_PER_S)
#define STREAMS_MAX 100 // however many more the server allows

bool http2_connection_has_room(const struct http2_connection *connection)
{
    if (connection->state != HTTP2_READY || connection->suspect || connection->blocked) {
        return false;
    }
    uint32_t allowed =
        nghttp2_session_get_remote_settings(connection->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return connection->call_count < (allowed < STREAMS_MAX ? allowed : STREAMS_MAX) &&
           nghttp2_session_check_request_allowed(connection->session);
}

void http2_connection_retire(struct http2_connection *connection)
{
    if (connection->state == HTTP2_READY) {
        connection->state = HTTP2_RETIRING;
    }
}

static void ping(struct http2_connection *connection, int64_t now_us)
{
    connection->pinged_us = now_us;
    // Refused only where memory is short. A server that cannot be asked counts as one that does not answer.
    (void)nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
}

void http2_connection_doubt(struct http2_connection *connection, int64_t now_us)
{
    connection->suspect |= now_us - connection->heard_us >= DOUBT_US;
    if (connection->pinged_us == 0) {
        ping(connection, now_us);
    }
}

static void check_silence(struct http2_connection *connection, int64_t now_us)
{
    if (connection->pinged_us != 0 && now_us - connection->pinged_us >= UNANSWERED_US) {
        http2_connection_lose(connection, "the connection went silent");
    } else if (connection->pinged_us != 0 && now_us - connection->pinged_us >= DOUBT_US) {
        connection->suspect = true;
    } else if (connection->pinged_us == 0 && connection->call_count > 0 &&
               now_us - connection->heard_us >= SILENCE_US) {
        ping(connection, now_us);
    }
}

// Where one request cannot be written for so long, the next one could not either.
static void check_unwritten(struct http2_connection *connection, int64_t now_us)
{
    LIST_EACH_SAFE(&connection->calls, node, after)
    {
        struct http2_call *call = CONTAINER_OF(node, struct http2_call, link);
        if (call->body_sent_bytes < call->http->body_bytes && now_us - call->opened_us >= UNWRITTEN_US) {
            http2_session_reset(call);
            http2_call_end(call, HTTP_CUT, "the server did not take the request in time");
            http2_connection_retire(connection);
        }
    }
}

void http2_connection_check(struct http2_connection *connection, int64_t now_us)
{
    if (connection->state < HTTP2_READY) {
        if (now_us - connection->born_us >= OPENING_US) {
            http2_connection_lose(connection, "no connection was ready in time");
        }
        return;
    }
    check_unwritten(connection, now_us);
    if (now_us - connection->born_us >= LIFE_US) {
        http2_connection_retire(connection);
    }
    bool over = connection->state == HTTP2_RETIRING || now_us - connection->idle_since_us >= IDLE_US;
    if (connection->call_count == 0 && over) {
        http2_connection_close(connection, connection->pinged_us == 0 && !connection->blocked);
    } else {
        check_silence(connection, now_us);
    }
}
