// HTTP out over TLS and HTTP/2 (RFC 9113), to one origin, on nghttp2. Loop thread.
//
// Many calls share a connection, so a bad one must not hold them all. A connection from which nothing came
// for 5 s while calls are on it is asked (PING); without a word for 3 more seconds it is closed. After a
// time-out, and while the question is open, new calls go to a fresh connection.
#pragma once

#include "net/http_client.h"

struct http2_client_options {
    const char *origin; // its https URL; what follows the host is ignored
    const char *user_agent;
    const char *ca_file;       // authorities to trust besides the system's, NULL: none
    struct http_client *http1; // takes the calls of a server that speaks HTTP/1.1 only; outlives this one
};
// What the options point to must outlive the client. It is closed right before the loop is. The whole process
// ignores SIGPIPE from then on. ERR_CONFIG: origin is no https URL, or ca_file cannot be read. ERR_IO.
enum errc http2_client_open(struct uv_service_loop *loop, const struct http2_client_options *options,
                            struct http_client **client, struct err *err) MUST_CHECK;

struct http2_client_stats {
    int64_t connections;
    int64_t opened_total;
    int64_t lost_total; // that ended while calls were on them
};
void http2_client_stats(const struct http_client *client, struct http2_client_stats *stats);
