// The HTTP/1.1 server. An exchange is one request and its answer; its handler answers at once or later. Loop
// thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/address.h"
#include "net/http_memory.h"

struct http_server;

struct http_exchange {
    struct arena arena; // the request's memory: lives until the exchange is over
    const char *method;
    const char *path;      // percent-decoded, without the query
    const char *query;     // raw, without '?'; "" if none
    struct buf body;       // raw bytes
    size_t body_bytes_max; // set by on_head
    bool body_unread;      // set by on_head: the body is accepted but not kept
    struct address
        client; // the body counts towards its share of the memory; on_head may change it from the peer
    struct http_reservation body_memory;
    struct address peer;
    void *context;    // the handler's own
    void *connection; // the implementation's own
};

struct http_server_options {
    const char *listen; // "127.0.0.1:8080", "[::1]:0"; port 0: any
    unsigned connections_max;
    // The limit of one address (an IPv6 one's /64) once half of connections_max are taken, so that nobody can
    // take them all. Connections beyond it are closed. 0: no limit.
    unsigned connections_per_address_max;
    const struct network_list *unlimited; // addresses without that limit; NULL: none
    unsigned idle_timeout_s;              // without a byte during a request, or between two
    unsigned request_timeout_s;           // from the first byte of a request to its last
    size_t head_bytes_max;                // of a request's line and headers; less than 16 KB
    // The head has come: sets body_bytes_max, or answers at once; then the body is not read.
    void (*on_head)(struct http_exchange *exchange, void *context);
    // The whole request has come. Must answer exactly once, now or later.
    void (*on_request)(struct http_exchange *exchange, void *context);
    // The body is larger than body_bytes_max: must answer at once (413).
    void (*on_too_large)(struct http_exchange *exchange, void *context);
    // The memory for the bodies of all requests; NULL: no limit. on_no_memory must answer at once (503).
    struct http_memory *memory;
    void (*on_no_memory)(struct http_exchange *exchange, void *context);
    // The request is not HTTP, or could be read in two ways: must answer at once with this status and
    // sentence. The status is 400; 431 where the head is too large; 408 where the request did not come whole
    // in request_timeout_s. It is called in place of on_head (the exchange then has neither path nor query,
    // and perhaps no method), or after it where the body's chunks are malformed or too slow. The connection
    // closes after the answer. NULL: the sentence itself is the answer.
    void (*on_malformed)(struct http_exchange *exchange, int status, const char *sentence, void *context);
    // The exchange is over: the answer was sent, or the client is gone. If the client hangs up while the
    // handler makes the answer or a piece of it, on_end comes after that answer or piece. Last use of the
    // exchange.
    void (*on_end)(struct http_exchange *exchange, void *context);
    void *context;
};

struct uv_service_loop;
// Whether it is an address and a port. ERR_VALIDATION.
enum errc http_server_check_address(const char *listen, struct err *err) MUST_CHECK;
// Whether http_server_open could bind that address; takes no connection. ERR_VALIDATION: it is not an
// address. ERR_CONFIG: it is not this machine's. ERR_EXISTS: it is in use.
enum errc http_server_try_listen(const char *listen, struct err *err) MUST_CHECK;
// Binds and listens. The same errors, and the whole process ignores SIGPIPE from then on.
enum errc http_server_open(struct uv_service_loop *loop, const struct http_server_options *options,
                           struct http_server **server, struct err *err) MUST_CHECK;
uint16_t http_server_port(const struct http_server *server); // the one bound
size_t http_server_connections(const struct http_server *server);
// Takes no new connections. Idle ones close now, the others after their answer.
void http_server_drain(struct http_server *server);
size_t http_server_exchanges(const struct http_server *server); // requests under way
void http_server_close(struct http_server *server);

// A request header, name in any case; NULL if absent. `repeated` (may be NULL) says whether it came more than
// once.
const char *http_exchange_header(struct http_exchange *exchange, const char *name, bool *repeated);

// All values of a header that is a list, with commas between, in the order in which they came (RFC 9110
// section 5.3); NULL if absent.
const char *http_exchange_header_list(struct http_exchange *exchange, const char *name);

struct http_reply {
    int status;
    const char *content_type;
    const struct http_reply_header {
        const char *name;
        const char *value;
    } * headers;
    size_t header_count;
    const void *body; // copied
    size_t body_bytes;
    // NULL: `body` is the whole body. Otherwise `body` is its first piece, and this asks for the next one
    // when the socket has taken those before it. Exactly one http_exchange_more or http_exchange_cut answers,
    // now or later.
    void (*more)(struct http_exchange *exchange, void *context);
};
// Answers. Exactly once for each exchange, from on_head, on_request, or later.
void http_exchange_reply(struct http_exchange *exchange, const struct http_reply *reply);
// Frees the request's body, which the handler has read, while the answer takes its time.
void http_exchange_forget_body(struct http_exchange *exchange);
// The next piece, copied; `last`: none follows. Only a last one may be empty.
#define HTTP_PIECE_BYTES_MAX (4 * 1024 * 1024)
void http_exchange_more(struct http_exchange *exchange, const void *data, size_t bytes, bool last);
// Ends the connection in the middle of the body: the client sees that it is not whole.
void http_exchange_cut(struct http_exchange *exchange);
// Ends the connection without an answer, for a stand-in that simulates a broken network. In place of
// http_exchange_reply, from on_request or later.
void http_exchange_drop(struct http_exchange *exchange);
