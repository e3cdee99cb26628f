// The answer to a request: what the handler gives, laid out as HTTP/1.1. Loop thread.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/http_server_private.h"

struct exchange *exchange_of(struct http_exchange *base)
{
    return CONTAINER_OF(base, struct exchange, base);
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return ""; // which a status line may have
}

// Made once a second.
static const char *date_now(struct http_server *server)
{
    time_t now_s = (time_t)(loop_wall_us(server->loop) / US_PER_S);
    if (now_s != server->date_s) {
        struct tm utc;
        REQUIRE(gmtime_r(&now_s, &utc) != NULL);
        REQUIRE(strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &utc) > 0);
        server->date_s = now_s;
    }
    return server->date;
}

static void add_header(struct buf *out, const char *name, const char *value)
{
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c < ' ' || *c == 0x7f) { // a line break would begin another header
            LOG(LOG_WARN, "a reply header cannot be sent", LOG_STR("header", name));
            return;
        }
    }
    buf_printf(out, "%s: %s\r\n", name, value);
}

void http_exchange_reply(struct http_exchange *exchange, const struct http_reply *reply)
{
    struct exchange *own = exchange_of(exchange);
    REQUIRE(!own->answered);
    own->answered = true;
    struct buf *out = &own->out_head;
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", reply->status, reason_of(reply->status),
               date_now(own->connection->server));
    if (reply->content_type) {
        add_header(out, "Content-Type", reply->content_type);
    }
    for (size_t i = 0; i < reply->header_count; i++) {
        add_header(out, reply->headers[i].name, reply->headers[i].value);
    }
    if (reply->more) {
        stream_begin(own, reply);
    } else {
        buf_printf(out, "Content-Length: %zu\r\n", reply->body_bytes);
        own->out_body = BUF_MAX(reply->body_bytes);
        buf_add(&own->out_body, reply->body, reply->body_bytes);
    }
    connection_wake(own->connection);
}

void http_exchange_drop(struct http_exchange *exchange)
{
    struct exchange *own = exchange_of(exchange);
    REQUIRE(!own->answered);
    own->dropped = true;
    connection_wake(own->connection);
}

void answer_send(struct exchange *exchange)
{
    struct buf *out = &exchange->out_head;
    exchange->sending = true;
    exchange->close_after |= exchange->connection->server->draining;
    if (exchange->close_after) {
        buf_add_str(out, "Connection: close\r\n");
    } else if (exchange->head.version_1_0) {
        buf_add_str(out, "Connection: keep-alive\r\n");
    }
    buf_add_str(out, "\r\n");
    if (text_equal(exchange->base.method, "HEAD")) {
        buf_release(&exchange->out_body);
        exchange->stream.more = NULL;
    } else if (exchange->stream.more != NULL) {
        stream_frame(exchange);
    }
    REQUIRE(!out->overflow);
    connection_phase_set(exchange->connection, CONNECTION_SENDING);
    connection_write(exchange->connection, exchange);
}
