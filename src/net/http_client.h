// HTTP out, as a seam. The real ones are net/http2_client.c, over TLS and HTTP/2 to one server, and
// net/http_client_curl.c, over HTTP/1.1. All calls and callbacks on the loop thread.
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
    HTTP_NOT_SENT,  // surely not carried out: no connection was made, or the server said that it ignored it
    HTTP_TOO_LATE,  // send_before_us passed before all of it was written; it was not sent, and must not be
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
    const struct http_header *headers;
    size_t header_count;
    const void *body; // NULL: none
    size_t body_bytes;
    int64_t timeout_ms;     // from send to last byte, queueing included
    int64_t send_before_us; // wall clock: checked as the request is written, not as it is handed over; 0:
                            // whenever
    size_t response_bytes_max;
    bool status_decides; // HTTP_DONE once the head is there, whatever becomes of the body, which is waited
                         // for a second at most; HTTP/1.1
    bool public_only;    // the address policy applies to the resolved address that is connected to; HTTP/1.1
    void (*done)(struct http_call *call);

    // Filled before `done`.
    enum http_result result;
    int status;
    struct arena arena; // holds what follows; released by http_call_release
    struct http_header response_headers[HTTP_RESPONSE_HEADERS_MAX];
    size_t response_header_count;
    struct buf response_body;
    uint64_t lost_connection; // HTTP_CUT together with all calls on this connection; 0: not said
    char error[160];          // a sentence when result is not HTTP_DONE; no URL, no secret

    struct http_client *client; // the one that has it; a client may hand a call on to another
    void *transfer;             // that client's own
};

struct http_client_ops {
    void (*send)(struct http_client *client, struct http_call *call);
    void (*give_up)(struct http_client *client, struct http_call *call);
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

// Of a call that is under way: its time is over. Its `done` comes soon, not from within this, and with the
// response if that is quicker.
static inline void http_call_give_up(struct http_call *call)
{
    call->client->ops->give_up(call->client, call);
}

// The value of a response header, name in any case; NULL if absent.
const char *http_call_header(const struct http_call *call, const char *name);
// Wipes and frees what the response left in the call.
void http_call_release(struct http_call *call);

// The HTTP/1.1 client on libcurl's multi-socket interface. ERR_IO. What the options point to must outlive it.
// The whole process ignores SIGPIPE from then on. Calls that are more than the connections wait in a queue,
// which the callers bound.
struct http_client_options {
    const char *user_agent;
    const char *ca_file; // added trust, NULL: the system's alone
    // http://host:port, through which every call goes by CONNECT; NULL: none. What a name leads to is then
    // the proxy's to decide: public_only applies to addresses that the URL itself holds.
    const char *proxy;
    // For public_only calls and for the others each, as they share no connections; at most 1000 (a multi
    // handle gets slow beyond).
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
