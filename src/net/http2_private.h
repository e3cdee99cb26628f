// Shared by the files of the HTTP/2 client alone: http2_client.c (calls, the queue, time), http2_dial.c (a
// new connection: names, addresses, attempts), http2_connection.c (one socket and its TLS), http2_tunnel.c
// (the way through a proxy), http2_liveness.c (how long it is trusted) and http2_session.c (what nghttp2 is
// told and tells).
//
// A call is in exactly one place: the queue, a connection's calls, or `finished`. nghttp2's callbacks and the
// dial only move calls; `done` is called from http2_client_turn, and at the close.
#pragma once

#include <nghttp2/nghttp2.h>
#include <uv.h>

#include "base/list.h"
#include "base/loop.h"
#include "net/http2_client.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "net/url.h"

#define HTTP2_REQUEST_HEADERS_MAX 16
#define HTTP2_ERROR_BYTES ERR_MESSAGE_MAX
// Enough for what nghttp2 hands out before the buffer counts as full: a frame of 16 kB and its header.
#define HTTP2_OUT_BYTES (3 * 16384)
#define HTTP2_OUT_FULL_BYTES 16384

enum http2_state {
    HTTP2_CONNECTING,  // TCP
    HTTP2_TUNNELLING,  // the proxy's answer is awaited
    HTTP2_HANDSHAKING, // TLS
    HTTP2_GREETING,    // the server's SETTINGS are awaited
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
    int64_t born_us;
    int64_t heard_us;      // when the last byte came
    int64_t idle_since_us; // since when it has no calls
    int64_t pinged_us;     // of a PING since which nothing came; 0: none
    bool suspect;          // it may be dead: no new calls until a byte comes
    bool blocked;          // the socket takes no more for now
    bool read_wants_write; // TLS has to write before it can read on
    bool has_answered;     // a call, wholly
    unsigned char out[HTTP2_OUT_BYTES];
    size_t out_bytes;
    size_t out_written;
    int64_t out_before_us; // wall clock: `out` may not be written later; 0: whenever
};

struct http2_call {
    struct list link;
    struct http2_client *client;
    struct http_call *http;
    struct http2_connection *connection; // NULL: queued or finished
    int32_t stream_id;
    int64_t deadline_us; // monotonic
    int64_t opened_us;   // its stream was
    int resent;          // after the server had ignored it
    bool headers_sent;
    size_t body_sent_bytes;
    size_t header_bytes;
    bool head_ended; // the final response's
};

// The making of one connection. Addresses are tried side by side, each a little after the one before, and the
// first that is ready is taken (RFC 8305).
struct http2_dial {
    bool under_way;
    struct timer stagger;
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    size_t address_count;
    size_t next; // of the addresses
    struct list attempts;
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
    struct list queue; // of struct http2_call, in the order of sending; bounded by those who send
    struct list connections;
    uint64_t last_serial;
    struct http2_dial dial;
    int64_t dial_after_us;  // no new connection before
    int64_t http1_until_us; // the server chose HTTP/1.1: its calls go that way until then
    struct list finished;   // of struct http2_call: `done` is due
    struct timer wake;
    struct timer sweep;
    bool closing;
    int open_handles; // libuv's, until the client can be freed
};

// --- http2_client.c
// Soon: calls the queue has for ready connections, writes, and `done` for what is finished.
void http2_client_wake(struct http2_client *client);
// The same at once; not from within a callback of nghttp2, and not from within `done`.
void http2_client_turn(struct http2_client *client);
// The call is over. A sentence where it is not HTTP_DONE.
void http2_call_end(struct http2_call *call, enum http_result result, const char *sentence);
// The server surely ignored it, so it goes to the head of the queue; after three times it ends HTTP_NOT_SENT.
void http2_call_requeue(struct http2_call *call, const char *sentence);
// The calls that wait cannot be sent: no connection can be made.
void http2_client_fail_queue(struct http2_client *client, const char *sentence);

// One of libuv's handles is closed; the last one frees the client.
void http2_client_release(struct http2_client *client);

// --- http2_dial.c
void http2_dial_init(struct http2_dial *dial);
void http2_dial_start(struct http2_client *client); // while none is under way
void http2_dial_stop(struct http2_client *client);
// The connection ends, or takes no more calls. If it has answered none, the next dial waits a second.
void http2_dial_pause_if_useless(const struct http2_connection *connection);
// One of its attempts is ready, and is the client's now; or it has failed and is closed.
void http2_dial_ready(struct http2_connection *connection);
void http2_dial_failed(struct http2_connection *connection, const char *sentence);

// --- http2_connection.c
// Begins to connect. ERR_IO.
enum errc http2_connection_open(struct http2_client *client, const struct address *address,
                                struct http2_connection **connection, struct err *err) MUST_CHECK;
// The server wants HTTP/1.1: calls for which no other connection has room go that way for ten minutes.
void http2_connection_use_http1(struct http2_connection *connection);
// Polls for these events from now on. False: it cannot, and the connection is closed.
bool http2_connection_poll(struct http2_connection *connection, int events);
// Writes what waits, as far as the socket takes it.
void http2_connection_flush(struct http2_connection *connection);
// Closes it at once: its calls end HTTP_CUT, or go back to the queue where they had not been sent.
void http2_connection_lose(struct http2_connection *connection, const char *sentence);
// Closes one without calls. Not orderly: what the kernel has not sent by now is never sent.
void http2_connection_close(struct http2_connection *connection, bool orderly);

// TCP, and the tunnel if there is one, leads to the server: begins the TLS handshake.
void http2_connection_secure(struct http2_connection *connection);

// --- http2_tunnel.c
// The proxy is connected: asks it for the server.
void http2_tunnel_begin(struct http2_connection *connection);
// The proxy said something.
void http2_tunnel_read(struct http2_connection *connection);

// --- http2_liveness.c
bool http2_connection_has_room(const struct http2_connection *connection);
// Takes no more calls, and closes once those that it has are over.
void http2_connection_retire(struct http2_connection *connection);
// A call on it had no answer in time: asks whether the server is there.
void http2_connection_doubt(struct http2_connection *connection, int64_t now_us);
// Once in a sweep: what time does to a connection.
void http2_connection_check(struct http2_connection *connection, int64_t now_us);

// --- http2_session.c
// NULL: no memory.
nghttp2_session_callbacks *http2_session_callbacks(void);
// Begins the session and queues our SETTINGS. False: nghttp2 refuses.
bool http2_session_begin(struct http2_connection *connection);
// Opens a stream for the call. False: the connection takes no more; the call is unchanged.
bool http2_session_submit(struct http2_connection *connection, struct http2_call *call);
// Gives up the call's stream; nothing of it comes back.
void http2_session_reset(struct http2_call *call);
