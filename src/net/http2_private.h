// Shared by the files of the HTTP/2 client alone. Each calls only those above it:
// http2_tunnel.c (what is said to a proxy), http2_call.c (a call and the lists that it moves between),
// http2_session.c (nghttp2's streams), http2_connection.c (one socket and its TLS), http2_dial.c (a new
// connection: names, addresses, attempts), http2_liveness.c (how long a connection is trusted) and
// http2_client.c (which connection takes a call).
//
// A call is in exactly one list: the queue, a connection's calls, or `finished`. Callbacks of nghttp2 and of
// sockets only move calls and set flags. http2_client.c's step, at a timer, acts on them and calls `done`.
#pragma once

#include <nghttp2/nghttp2.h>
#include <uv.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/timefmt.h"
#include "net/http2_client.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "net/url.h"

#define HTTP2_REQUEST_HEADERS_MAX 16
#define HTTP2_ERROR_BYTES ERR_MESSAGE_MAX
// Enough for what nghttp2 hands out before the buffer counts as full: a frame of 16 kB and its header.
#define HTTP2_OUT_BYTES (3 * 16384)
#define HTTP2_OUT_FULL_BYTES 16384
#define HTTP2_DIAL_PAUSE_US (1 * US_PER_S)

enum http2_state {
    HTTP2_CONNECTING,  // TCP
    HTTP2_TUNNELLING,  // waits for the proxy's answer
    HTTP2_HANDSHAKING, // TLS
    HTTP2_GREETING,    // waits for the server's SETTINGS
    HTTP2_READY,
    HTTP2_RETIRING, // takes no more calls
    HTTP2_CLOSED,
};

struct http2_client;

struct http2_connection {
    struct list link; // in the client's attempts until it is ready, then in its connections
    struct http2_client *client;
    enum http2_state state;
    uint64_t serial; // from 1
    int fd;
    uv_poll_t poll;
    int polled; // the events that are polled for
    struct tls *tls;
    nghttp2_session *session;
    struct list calls; // of struct http2_call: those with a stream here
    size_t call_count;
    int64_t opened_us;
    int64_t received_us;                // when the last byte came
    int64_t idle_since_us;              // since when it has no calls
    int64_t pinged_us;                  // when a PING was sent after which nothing came; 0: none
    bool suspect;                       // it may be dead: no new calls until a byte comes
    bool blocked;                       // the socket takes no more for now
    bool read_wants_write;              // TLS has to write before it can read on
    bool has_answered;                  // at least one call
    unsigned char out[HTTP2_OUT_BYTES]; // to be written; before the session, what the proxy has answered
    size_t out_bytes;
    size_t out_written;
    int64_t out_before_us; // wall clock: `out` may not be written later; 0: no limit
};

struct http2_call {
    struct list link;
    struct http2_client *client;
    struct http_call *http;
    struct http2_connection *connection; // NULL: queued or finished
    int32_t stream_id;
    int64_t deadline_us;  // monotonic
    int64_t submitted_us; // its stream was opened
    int resends;          // after the server had ignored it
    bool headers_sent;
    size_t body_sent_bytes;
    size_t header_bytes;
    bool head_ended; // the final response's
};

// The making of one connection. Addresses are tried side by side, each a little after the one before. The
// first attempt that is ready becomes the connection (RFC 8305).
struct http2_dial {
    bool under_way;
    struct timer stagger;
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    size_t address_count;
    size_t next; // of the addresses
    struct list attempts;
    size_t failed_count;           // attempts that failed since http2_dial_continue was called
    char error[HTTP2_ERROR_BYTES]; // of the last attempt that failed
};

struct http2_client {
    struct http_client base;
    struct http2_client_stats stats;
    struct http2_client_options options;
    struct uv_service_loop *service;
    struct loop *loop;
    struct arena arena;
    struct url origin;
    struct url proxy; // host NULL: none
    const char *authority;
    struct tls_context *tls;
    nghttp2_session_callbacks *callbacks;
    struct list queue; // of struct http2_call, in the order of sending; the callers bound it
    struct list connections;
    uint64_t last_serial;
    struct http2_dial dial;
    int64_t dial_after_us;  // no new connection before
    int64_t http1_until_us; // the server chose HTTP/1.1: calls go that way until then
    struct list finished;   // of struct http2_call: `done` is due
    struct timer wake;
    struct timer sweep;
    bool closing;
};

// A new connection would be of no use now: the next dial waits a second.
static inline void http2_dial_pause(struct http2_client *client)
{
    int64_t after_us = loop_mono_us(client->loop) + HTTP2_DIAL_PAUSE_US;
    client->dial_after_us = after_us > client->dial_after_us ? after_us : client->dial_after_us;
}

// --- http2_tunnel.c
// The request that asks a proxy for a tunnel to the origin, in the arena.
const char *http2_tunnel_request(struct arena *arena, const struct url *origin, const char *user_agent);
enum http2_tunnel_answer {
    HTTP2_TUNNEL_MORE, // the head has not come whole
    HTTP2_TUNNEL_OPEN,
    HTTP2_TUNNEL_REFUSED,
    HTTP2_TUNNEL_MALFORMED,
};
// Reads what the proxy has answered so far; a NUL follows it.
enum http2_tunnel_answer http2_tunnel_answer(const char *answer, size_t bytes);

// --- http2_call.c
// Schedules the client's step: it hands queued calls to connections, writes, and calls `done`.
void http2_client_wake(struct http2_client *client);
// Moves the call to `finished`. A sentence where it is not HTTP_DONE.
void http2_call_end(struct http2_call *call, enum http_result result, const char *sentence);
// Puts the call back at the head of the queue, as the server has surely ignored it. After three times it ends
// HTTP_NOT_SENT.
void http2_call_requeue(struct http2_call *call, const char *sentence);
// Hands the call to the HTTP/1.1 client, and frees it here.
void http2_call_use_http1(struct http2_call *call);
// Frees a finished call and calls `done`.
void http2_call_finish(struct http2_call *call);
// Ends all queued calls HTTP_NOT_SENT.
void http2_queue_fail(struct http2_client *client, const char *sentence);

// --- http2_session.c
// NULL: no memory.
nghttp2_session_callbacks *http2_session_callbacks(void);
// Begins the session and queues our SETTINGS. False: nghttp2 refuses.
bool http2_session_begin(struct http2_connection *connection);
// Whether the connection can take one more call now.
bool http2_session_has_room(const struct http2_connection *connection);
// Opens a stream for the call. False: the connection takes no more; the call is unchanged.
bool http2_session_submit(struct http2_connection *connection, struct http2_call *call);
// Cancels the call's stream; nothing of it comes back.
void http2_session_reset(struct http2_call *call);
// Takes no more calls, and closes once those that it has are over.
void http2_session_retire(struct http2_connection *connection);
// Retires it, as the server wants HTTP/1.1. For ten minutes, calls for which no other connection has room go
// that way.
void http2_session_use_http1(struct http2_connection *connection);

// --- http2_connection.c
// Begins to connect. ERR_IO.
enum errc http2_connection_open(struct http2_client *client, const struct address *address,
                                struct http2_connection **connection, struct err *err) MUST_CHECK;
// Writes what waits, as far as the socket takes it. May close the connection.
void http2_connection_flush(struct http2_connection *connection);
// Closes it at once: its calls end HTTP_CUT, or go back to the queue where they had not been sent. Where it
// was an attempt of the dial, the dial is told with this sentence.
void http2_connection_lose(struct http2_connection *connection, const char *sentence);
// Closes one without calls. Unless `orderly`, what the kernel has not sent by now is never sent.
void http2_connection_close(struct http2_connection *connection, bool orderly);
// Ends the dial, and closes its attempts.
void http2_attempts_close(struct http2_client *client);

// --- http2_dial.c
void http2_dial_init(struct http2_dial *dial);
void http2_dial_start(struct http2_client *client); // while none is under way
// Tries the next addresses in place of attempts that failed.
void http2_dial_continue(struct http2_client *client);

// --- http2_liveness.c
// A call on it had no answer in time: asks whether the server is there.
void http2_connection_probe(struct http2_connection *connection, int64_t now_us);
// Acts on the connection's age and silence, once in a sweep. May close it.
void http2_connection_check(struct http2_connection *connection, int64_t now_us);
