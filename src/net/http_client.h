// The seam for outgoing HTTP. Its implementations are net/http2_client.c (TLS and HTTP/2, to one server) and
// net/http_client_curl.c (HTTP/1.1). All calls and callbacks on the loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "net/address.h"

enum http_result {
    HTTP_DONE,      // a whole response came, or as much as decides; status is set
    HTTP_NOT_SENT,  // certainly not carried out: no connection, or the server said that it ignored it
    HTTP_TOO_LATE,  // not sent, and must not be: send_before_us passed before all of it was written
    HTTP_CUT,       // it may have left: time-out, reset, cut or malformed response
    HTTP_FORBIDDEN, // the address policy refused every address of the host; nothing was sent
    HTTP_TOO_LARGE, // the response was larger than response_bytes_max
};

#define HTTP_RESPONSE_HEADERS_MAX 64 // Stripe sends close to 30; further ones are dropped

struct http_header {
    const char *name;
    const char *value;
};

struct http_client;

// One request. The caller owns it, and everything it points to, until `done` is called, which happens exactly
// once and never from within http_client_send. No redirects, no cookies, no proxy from the environment.
struct http_call {
    const char *method;
    const char *url;
    const char *target; // the URL's path and query, if url_parse has read them; NULL: the client does
    const struct http_header *headers; // over HTTP/2, names must be in lower case
    size_t header_count;
    const void *body; // NULL: none
    size_t body_bytes;
    int64_t timeout_ms;     // from send to last byte, queueing included
    int64_t send_before_us; // wall clock: checked as the request is written; 0: no limit
    size_t response_bytes_max;
    bool status_decides; // HTTP_DONE once the head is there; waits at most 1 s for the body; HTTP/1.1 only
    bool public_only;    // the address policy applies to the address that is connected to; HTTP/1.1 only
    void (*done)(struct http_call *call);

    // Filled before `done`.
    enum http_result result;
    int status;
    struct arena arena;                   // holds what follows; released by http_call_release
    struct http_header *response_headers; // room for HTTP_RESPONSE_HEADERS_MAX, once there is one
    size_t response_header_count;
    struct buf response_body;
    uint64_t lost_connection; // HTTP_CUT together with all calls on this connection; 0: unknown
    char error[160];          // a sentence when result is not HTTP_DONE; no URL, no secret

    struct http_client *client; // which has the call now: one client may hand it to another
    void *transfer;             // that client's own
};

struct http_client_ops {
    void (*send)(struct http_client *client, struct http_call *call);
    void (*abandon)(struct http_client *client, struct http_call *call);
    void (*close)(struct http_client *client);
};
struct http_client {
    const struct http_client_ops *ops;
};

static inline void http_client_send(struct http_client *client, struct http_call *call)
{
    call->client = client;
    client->ops->send(client, call);
}

// Stops waiting for a call that is under way. Its `done` comes soon, not from within this, and with the
// response if that is quicker.
static inline void http_call_abandon(struct http_call *call)
{
    call->client->ops->abandon(call->client, call);
}

// The value of a response header, name in any case; NULL if absent.
const char *http_call_header(const struct http_call *call, const char *name);
// Wipes and frees what the response left in the call.
void http_call_release(struct http_call *call);

// For clients. Prepares the call for a response; frees nothing.
void http_call_reset(struct http_call *call);
// Keeps a copy of a response header. Those past HTTP_RESPONSE_HEADERS_MAX are dropped: to refuse the response
// for them would turn a known outcome into an unknown one.
void http_call_add_header(struct http_call *call, const char *name, size_t name_bytes, const char *value,
                          size_t value_bytes);
// Whether send_before_us has passed at this wall-clock time.
static inline bool http_call_is_too_late(const struct http_call *call, int64_t now_us)
{
    return call->send_before_us != 0 && now_us >= call->send_before_us;
}

// The HTTP/1.1 client on libcurl's multi-socket interface. ERR_IO. What the options point to must outlive it.
// The whole process ignores SIGPIPE from then on. Calls wait in a queue while all connections are taken; the
// callers bound it.
struct http_client_options {
    const char *user_agent;
    const char *ca_file; // added trust, NULL: the system's alone
    // http://host:port, through which every call goes by CONNECT; NULL: none. The proxy then resolves names:
    // public_only applies only to addresses that the URL itself holds.
    const char *proxy;
    // Twice: public_only calls and all others share no connections. At most 1000: a multi handle gets slow
    // beyond that.
    long connections_max;
    long host_connections_max; // to one host
    struct network_list allow; // addresses public_only may reach although special; kept by reference
};
struct uv_service_loop;
enum errc http_client_curl_open(struct uv_service_loop *loop, const struct http_client_options *options,
                                struct http_client **client, struct err *err) MUST_CHECK;
// Ends every call still under way (its `done` is called, with HTTP_CUT if it may have left) and frees the
// client.
static inline void http_client_close(struct http_client *client)
{
    client->ops->close(client);
}
