// The client for HTTP/2 over TLS (RFC 9113), to one origin, on nghttp2. Loop thread.
//
// Many calls share a connection, so a dead connection must not hold them all. If nothing has come for 5 s
// while calls are under way, a PING asks whether the server is there. One second later, new calls go to
// another connection. After 3 s without a byte the connection closes.
#pragma once

#include "net/http_client.h"

struct http2_client_options {
    const char *origin; // its https URL; what follows the host is ignored
    const char *user_agent;
    const char *ca_file;       // authorities to trust besides the system's, NULL: none
    const char *proxy;         // http://host:port, through which it connects (CONNECT); NULL: none
    int64_t connections_max;   // where calls need more, they wait
    struct http_client *http1; // takes the calls if the server wants HTTP/1.1
};
// What the options point to must outlive the client. It is closed after the calls of `http1` have ended,
// right before the loop is. The whole process ignores SIGPIPE from then on. ERR_VALIDATION, ERR_CONFIG:
// origin is no https URL, or ca_file cannot be read. ERR_IO.
enum errc http2_client_open(struct uv_service_loop *loop, const struct http2_client_options *options,
                            struct http_client **client, struct err *err) MUST_CHECK;

struct http2_client_stats {
    int64_t connections;
    int64_t opened_total;
    int64_t lost_total; // that ended while calls were on them
};
void http2_client_stats(const struct http_client *client, struct http2_client_stats *stats);
