// HTTP/1.1 in, on the loop's thread. An exchange is one request and its answer; it may be answered at once or
// parked and answered later. Everything here on the loop thread.
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
    bool body_unread;      // set by on_head: it may be so large, and is not kept
    struct address client; // whose share of the memory the body takes: the peer, unless on_head sets another
    struct http_reservation body_memory;
    struct address peer;
    void *context;    // the handler's own
    void *connection; // the implementation's own
};

struct http_server_options {
    const char *listen; // "127.0.0.1:8080", "[::1]:0"; port 0: any
    unsigned connections_max;
    // Of one address (an IPv6 one's /64) once half of connections_max are taken, so that nobody can take them
    // all; what comes beyond it is closed. 0: no limit.
    unsigned connections_per_address_max;
    const struct network_list *unlimited; // addresses without that limit; NULL: none
    unsigned idle_timeout_s;              // without progress on a request, or between two
    unsigned request_timeout_s;           // from the first byte of a request to its last
    size_t head_bytes_max;                // of a request: its line and headers; less than 16 KB
    // Called when the head is there: sets body_bytes_max, or answers at once (then the body is not read).
    void (*on_head)(struct http_exchange *exchange, void *context);
    // Called when the whole request is there. Must answer, now or later, exactly once.
    void (*on_request)(struct http_exchange *exchange, void *context);
    // What to answer where the body grew past body_bytes_max (413): the handler writes its own error form.
    void (*on_too_large)(struct http_exchange *exchange, void *context);
    // The bodies of all requests; NULL: no limit. What to answer where there is no room for more (503).
    struct http_memory *memory;
    void (*on_no_memory)(struct http_exchange *exchange, void *context);
    // Where the request is no HTTP, or could be read in two ways: answers with this status (400; 431 where
    // the head is too large; 408 where the request did not come whole in request_timeout_s) and sentence, at
    // once. Comes instead of on_head (the exchange has neither path nor query then, and perhaps no method),
    // or after it where the body's chunks are malformed or too slow. The connection closes after the answer.
    // NULL: the sentence itself is the answer.
    void (*on_malformed)(struct http_exchange *exchange, int status, const char *sentence, void *context);
    // The exchange is over: answered and sent, or the client is gone (`answered` false: a parked one whose
    // client hung up is still answered by its owner first, and given the piece that was asked for). Last use
    // of the exchange.
    void (*on_end)(struct http_exchange *exchange, void *context);
    void *context;
};

struct uv_service_loop;
// Whether it is an address and a port at all. ERR_VALIDATION.
enum errc http_server_check_address(const char *listen, struct err *err) MUST_CHECK;
// Whether http_server_open could bind that address, without taking a connection. ERR_VALIDATION for what is
// no address, ERR_CONFIG for one that is not this machine's, ERR_EXISTS for a taken one ("127.0.0.1:8080:
// address already in use").
enum errc http_server_try_listen(const char *listen, struct err *err) MUST_CHECK;
// Binds and listens. The same errors. The whole process ignores SIGPIPE from then on.
enum errc http_server_open(struct uv_service_loop *loop, const struct http_server_options *options,
                           struct http_server **server, struct err *err) MUST_CHECK;
uint16_t http_server_port(const struct http_server *server); // the one bound
size_t http_server_connections(const struct http_server *server);
// No new connections; those that are idle are closed, the others close after their answer.
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
    // Where the body comes in pieces, `body` is the first, and this asks for the next one when those before
    // it have left for the client: exactly one http_exchange_more or http_exchange_cut answers, now or later.
    // NULL: `body` is all of it.
    void (*more)(struct http_exchange *exchange, void *context);
};
// Answers. Exactly once an exchange; from on_head, on_request, or later.
void http_exchange_reply(struct http_exchange *exchange, const struct http_reply *reply);
// The next piece, copied; `last`: none follows. Only a last one may be empty.
#define HTTP_PIECE_BYTES_MAX (4 * 1024 * 1024)
void http_exchange_more(struct http_exchange *exchange, const void *data, size_t bytes, bool last);
// Ends the connection within the body: the client sees that it is not whole.
void http_exchange_cut(struct http_exchange *exchange);
// Ends the connection without an answer, for stand-ins that play a broken network. In place of
// http_exchange_reply, from on_request or later.
void http_exchange_drop(struct http_exchange *exchange);
