// Shared by the files of the HTTP server alone: http_listen.c (the listening socket and new connections),
// http_connection.c (a connection's bytes), http_exchange.c (one request and its answer), http_answer.c (the
// answer's text) and http_server.c (the server and its time-outs).
//
// A connection moves its exchange on, and an exchange writes, waits and closes through its connection. These
// two files call each other; all others are called from one side only.
#pragma once

#include <uv.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/table.h"
#include "net/http_chunks.h"
#include "net/http_head.h"
#include "net/http_server.h"

#define HTTP_DATE_BYTES 32
#define HTTP_READ_BYTES (16 * 1024)
// What may lie unused while an answer is made; beyond it the socket is not read. A head must fit in.
#define HTTP_IN_BYTES_MAX (16 * 1024)
#define HTTP_TOO_SLOW "the request did not come whole in time"

enum stream_state {
    STREAM_IDLE,  // the next piece is to be asked for
    STREAM_ASKED, // the handler makes it
    STREAM_GIVEN, // it is in out_body
    STREAM_CUT,   // the body ends before it is whole
};

// A body that comes in pieces.
struct stream {
    void (*more)(struct http_exchange *exchange, void *context); // NULL: nothing follows
    enum stream_state state;
    bool last; // nothing follows the piece that was given
};

enum connection_phase {
    CONNECTION_WAITING,   // for the head of a request; idle between two
    CONNECTION_RECEIVING, // the request's body
    CONNECTION_PARKED,    // until the handler answers: no limit here, the handler has its own
    CONNECTION_SENDING,   // the answer
    CONNECTION_LINGERING, // all is sent: until the client has read it and ends its side too
};

// How many connections one address has.
struct address_connections {
    struct table_node node;
    struct address address;
    size_t count; // never 0
};

struct connection {
    struct list link;
    struct list awake; // in the server's list of those that go on in the loop's next turn
    struct address_connections *of_address;
    struct http_server *server;
    struct address peer;
    uv_tcp_t tcp;
    struct buf in; // what came and is not used yet
    enum connection_phase phase;
    int64_t phase_since_us;    // monotonic
    int64_t received_us;       // monotonic; the last bytes
    int64_t request_since_us;  // monotonic; the first bytes of the request; 0: none came
    size_t discarded_bytes;    // while lingering
    bool advancing;            // connection_advance is on the stack
    bool reading;              // the socket is watched
    bool writing;              // the socket has not taken all yet
    bool ended;                // the client sends no more
    bool closed;               // uv_close was called
    struct exchange *exchange; // NULL while waiting and lingering
};

// One request and its answer; see http_exchange.c.
struct exchange {
    struct http_exchange base;
    struct connection *connection;
    struct http_head head;
    struct http_chunks chunks;
    int64_t left_bytes;     // of a body that is not chunked
    size_t unread_bytes;    // of a body that is not kept
    size_t discarded_bytes; // of a body that comes after its answer
    // What is to be written next: the answer's head, its body or a piece of it, and what ends the piece.
    struct buf out_head;
    struct buf out_body;
    const char *out_tail;
    struct stream stream;
    bool seen;           // by on_head or on_malformed
    bool whole;          // all of the request has come
    bool answered;       // http_exchange_reply was called
    bool sending;        // the answer is on its way, or has been sent
    bool stop_receiving; // the answer does not wait for the rest of the request
    bool close_after;    // the connection ends with the answer
    bool dropped;        // to end without an answer
};

struct http_server {
    struct http_server_options options;
    struct loop *loop;
    uv_loop_t *uv;
    uint16_t port;
    int listening; // -1 once draining
    bool draining;
    struct list connections;
    size_t connection_count;
    struct table addresses; // of struct address_connections
    size_t refused_count;   // connections since the last sweep
    size_t exchange_count;  // that on_head has seen and on_end has not
    struct timer sweep;
    uv_poll_t accepting; // on the listening socket
    void (*on_accepted)(struct http_server *server, int fd, const struct address *peer); // takes the fd
    uv_idle_t next_turn; // lets those in `awake` go on
    struct list awake;
    char scratch[HTTP_READ_BYTES]; // what is read from any socket passes through here
    int64_t date_s;
    char date[HTTP_DATE_BYTES]; // of that second
    size_t open_handles;        // `accepting` and `next_turn`, until libuv has closed them
};

// http_listen.c
// Binds "127.0.0.1:8080" or "[::1]:0" and listens. The socket does not block. ERR_CONFIG; ERR_EXISTS: another
// listens there.
enum errc http_listen(const char *listen, int *fd, uint16_t *port, struct err *err) MUST_CHECK;
// Takes connections from now on.
void http_accept_open(struct http_server *server, int listening,
                      void (*on_accepted)(struct http_server *server, int fd, const struct address *peer));
void http_accept_close(struct http_server *server, void (*on_closed)(uv_handle_t *handle));
void http_accept_resume(struct http_server *server); // if there is room again
void http_accept_log_refused(struct http_server *server);
// A connection counts as one of its address and of all.
void http_accept_count(struct connection *connection);
void http_accept_uncount(struct connection *connection);

// http_connection.c
void connection_open(struct http_server *server, int fd, const struct address *peer); // takes the fd
void connection_phase_set(struct connection *connection, enum connection_phase phase);
// Does what can be done now: reads heads and bodies out of `in`, and sends answers. Not in a handler: see
// connection_wake.
void connection_advance(struct connection *connection);
// After the handler's answer: goes on in the loop's next turn, or at once if connection_advance called the
// handler.
void connection_wake(struct connection *connection);
// Writes the exchange's out_head, out_body and out_tail, and releases them. connection_advance goes on after
// that.
void connection_write(struct connection *connection, struct exchange *exchange);
void connection_linger(struct connection *connection); // nothing more will be sent
void connection_close(struct connection *connection);  // ends its exchange

// http_exchange.c
// Begins with a head that came whole, of that many bytes.
void exchange_begin(struct connection *connection, size_t head_bytes);
// Begins by refusing what came.
void exchange_begin_refused(struct connection *connection, int status, const char *sentence);
// The rest of the request comes too slowly: answers 408, or what was answered early, and ends the connection.
void exchange_time_out(struct exchange *exchange);
// Does the next step. False: it waits for more bytes, an answer or the socket.
bool exchange_step(struct exchange *exchange);
void exchange_end(struct exchange *exchange);

// http_answer.c
// The status line and the reply's headers, with the length of a body that is whole.
void answer_add_head(struct buf *out, const struct http_reply *reply, const char *date);
// What comes before a chunk of so many bytes. Returns what comes after it, and after the body if it is the
// last. Only the last may be empty.
const char *answer_add_chunk(struct buf *out, size_t bytes, bool last);
