// Shared by the files of the HTTP server alone: http_server.c (the daemon and the loop), http_listen.c and
// http_accept.c (new connections), http_connection.c (connections and the time they may take),
// http_exchange.c (one request and its answer), http_stream.c (an answer in pieces) and http_framing.c (what
// is refused before it).
#pragma once

#include <microhttpd.h>
#include <uv.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/table.h"
#include "net/http_server.h"

struct exchange;

// A body that comes in pieces; see http_stream.c.
struct stream {
    void (*more)(struct http_exchange *exchange, void *context); // NULL: it comes whole
    struct buf piece;
    size_t sent_bytes; // of the piece
    bool asked;        // for the next piece, which is being made
    bool last;         // nothing follows the piece
    bool cut;
};

enum connection_phase {
    CONNECTION_WAITING,   // for the head of a request; idle between two
    CONNECTION_RECEIVING, // the request's body
    CONNECTION_PARKED,    // until the handler answers: no limit here, the handler has its own
    CONNECTION_SENDING,   // the answer
};

// The connections of one address.
struct crowd {
    struct table_node node;
    struct address address;
    size_t count; // never 0
};

struct connection {
    struct list link;
    struct crowd *crowd;
    struct http_server *server;
    struct MHD_Connection *mhd;
    enum connection_phase phase;
    int64_t phase_since_us;    // monotonic
    struct exchange *exchange; // NULL while waiting
};

struct framing {
    bool has_body;
    bool chunked;
    bool expects_continue;
    uint64_t content_bytes; // 0 where chunked
};

// One request and its answer; see http_exchange.c.
struct exchange {
    struct http_exchange base;
    struct http_server *server;
    struct connection *connection;
    char *target; // raw; in the arena
    struct framing framing;
    struct MHD_Response *response; // the answer, once there is one
    struct stream stream;
    int status;
    size_t discarded_bytes;
    bool headed; // MHD gave us the head
    bool seen;   // by on_head
    bool whole;  // on_request was called
    bool suspended;
    bool dropped; // to end without an answer
};

struct http_server {
    struct http_server_options options;
    struct loop *loop;
    struct MHD_Daemon *mhd;
    uint16_t port;
    int listening; // -1 once draining
    bool draining;
    bool running; // MHD_run is on the stack
    struct list connections;
    size_t connection_count;
    struct table crowds;
    size_t refused_count;  // connections since the last sweep
    size_t exchange_count; // that on_head has seen and on_end has not
    struct timer sweep;
    uv_poll_t accepting; // on the listening socket
    uv_poll_t poll;      // on MHD's epoll descriptor
    uv_timer_t timer;    // MHD's own next time-out
    uv_idle_t again;     // runs MHD in the next turn of the loop
    int open_handles;
};

// http_server.c
void http_server_run(struct http_server *server);
void http_server_wake(struct http_server *server);

// http_accept.c
void http_accept_open(struct http_server *server, uv_loop_t *uv, int listening);
void http_accept_pause(struct http_server *server);
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
void connection_phase_set(struct connection *connection, enum connection_phase phase);
void connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);
void connections_sweep(struct http_server *server);
void connections_close_idle(struct http_server *server);
void connections_unpark(struct http_server *server);

// http_exchange.c: libmicrohttpd's callbacks.
void *exchange_begin(void *cls, const char *target, struct MHD_Connection *mhd);
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *path, const char *method,
                                const char *version, const char *data, size_t *data_bytes,
                                void **request_context);
void exchange_end(void *cls, struct MHD_Connection *mhd, void **request_context,
                  enum MHD_RequestTerminationCode why);
void exchange_unpark(struct exchange *exchange);

// http_stream.c
struct MHD_Response *stream_open(struct exchange *exchange, const struct http_reply *reply);

// http_framing.c: whether the head says unambiguously where the request ends and what it asks for.
// The sentence of a 400, or NULL where all is well and *framing is filled.
const char *framing_read(struct MHD_Connection *mhd, const char *version, struct framing *framing);
// Decodes a request target into path and query, in the arena. The sentence of a 400, or NULL.
const char *target_read(const char *target, struct arena *arena, const char **path, const char **query);
