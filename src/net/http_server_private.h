// Shared by the files of the HTTP server alone: http_server.c (the server and its sweep), http_listen.c and
// http_accept.c (new connections), http_connection.c (a connection: its bytes and the time it may take),
// http_exchange.c (one request), http_answer.c (its answer) and http_stream.c (an answer in pieces).
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

// A body that comes in pieces; see http_stream.c.
struct stream {
    void (*more)(struct http_exchange *exchange, void *context); // NULL: nothing follows
    bool asked;                                                  // for the next piece, which is being made
    bool given;                                                  // it is in out_body
    bool last;                                                   // nothing follows it
    bool cut;
};

enum connection_phase {
    CONNECTION_WAITING,   // for the head of a request; idle between two
    CONNECTION_RECEIVING, // the request's body
    CONNECTION_PARKED,    // until the handler answers: no limit here, the handler has its own
    CONNECTION_SENDING,   // the answer
    CONNECTION_LINGERING, // all is sent: until the client has read it and ends its side too
};

// The connections of one address.
struct crowd {
    struct table_node node;
    struct address address;
    size_t count; // never 0
};

struct connection {
    struct list link;
    struct list awake; // in the server's list of those that go on in the next turn
    struct crowd *crowd;
    struct http_server *server;
    struct address peer;
    uv_tcp_t tcp;
    uv_write_t write;
    struct buf in; // what came and is not used yet
    enum connection_phase phase;
    int64_t phase_since_us;    // monotonic
    int64_t received_us;       // monotonic; the last bytes
    int64_t begun_us;          // monotonic; the first bytes of the request; 0: none came
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
    int64_t left_bytes;  // of a body that is not chunked
    size_t unread_bytes; // of a body that is not kept
    size_t discarded_bytes;
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
    struct table crowds;
    size_t refused_count;  // connections since the last sweep
    size_t exchange_count; // that on_head has seen and on_end has not
    struct timer sweep;
    uv_poll_t accepting; // on the listening socket
    uv_idle_t again;     // lets those in `awake` go on in the next turn of the loop
    struct list awake;
    char scratch[HTTP_READ_BYTES]; // what is read from any socket passes through here
    int64_t date_s;
    char date[HTTP_DATE_BYTES]; // of that second
    size_t open_handles;
};

// http_server.c
void http_server_handle_closed(struct http_server *server);

// http_accept.c
void http_accept_open(struct http_server *server, int listening);
void http_accept_go_on(struct http_server *server); // if there is room again
void http_accept_tell(struct http_server *server);  // logs what was refused
// A connection joins, and leaves, those of its address.
void http_accept_join(struct connection *connection);
void http_accept_leave(struct connection *connection);
void http_accept_close(struct http_server *server, void (*on_closed)(uv_handle_t *handle));

// http_listen.c: "127.0.0.1:8080", "[::1]:0". A bound, listening, non-blocking socket. ERR_CONFIG,
// ERR_EXISTS: another listens there.
enum errc http_listen(const char *listen, int *fd, uint16_t *port, struct err *err) MUST_CHECK;

// http_connection.c
void connection_open(struct http_server *server, int fd, const struct address *peer); // takes the fd
void connection_phase_set(struct connection *connection, enum connection_phase phase);
// Does what can be done: reads heads and bodies out of what came, and sends answers. Not in a handler: see
// connection_wake.
void connection_advance(struct connection *connection);
// After an event of the handler's: goes on in the next turn, or now if connection_advance called the handler.
void connection_wake(struct connection *connection);
// Writes what the exchange has in out_head, out_body and out_tail, and releases it. connection_advance goes
// on after that.
void connection_write(struct connection *connection, struct exchange *exchange);
void connection_linger(struct connection *connection); // nothing more will be sent
void connection_close(struct connection *connection);  // ends its exchange
void connections_sweep(struct http_server *server);
void connections_close_idle(struct http_server *server);
void connections_close(struct http_server *server);

// http_exchange.c
// Begins with a head that came whole (of that many bytes) or, with a sentence, refuses what came.
void exchange_begin(struct connection *connection, size_t head_bytes);
void exchange_begin_refused(struct connection *connection, int status, const char *sentence);
// The rest of the request comes too slowly: answers 408, or what was answered early, and ends the connection.
void exchange_time_out(struct exchange *exchange);
bool exchange_step(struct exchange *exchange); // false: until more has come, was answered or was written
void exchange_end(struct exchange *exchange);

// http_answer.c
struct exchange *exchange_of(struct http_exchange *base);
void answer_send(struct exchange *exchange);

// http_stream.c
void stream_begin(struct exchange *exchange, const struct http_reply *reply);
void stream_frame(struct exchange *exchange); // makes a chunk of the piece, for clients that know them
bool stream_step(struct exchange *exchange);  // after a piece was written
