// The status line and the headers of an answer, and the frame around a piece of its body. Pure; loop thread.
#include <string.h>

#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "net/http_server_private.h"

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
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
    for (size_t i = 0; i < COUNT_OF(phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return ""; // which a status line may have
}

static void add_header(struct buf *out, const char *name, const char *value)
{
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c < ' ' || *c == 0x7f) { // a line break would begin another header
            LOG(LOG_WARN, "a reply header cannot be sent", LOG_STR("header", name));
            return;
        }
    }
    buf_add_str(out, name);
    buf_add_str(out, ": ");
    buf_add_str(out, value);
    buf_add_str(out, "\r\n");
}

void answer_add_head(struct buf *out, const struct http_reply *reply, const char *date)
{
    char status[TEXT_I64_BYTES];
    (void)text_from_i64(reply->status, status);
    buf_add_str(out, "HTTP/1.1 ");
    buf_add_str(out, status);
    buf_add_str(out, " ");
    buf_add_str(out, reason_phrase(reply->status));
    buf_add_str(out, "\r\n");
    add_header(out, "Date", date);
    if (reply->content_type) {
        add_header(out, "Content-Type", reply->content_type);
    }
    for (size_t i = 0; i < reply->header_count; i++) {
        add_header(out, reply->headers[i].name, reply->headers[i].value);
    }
    if (reply->more == NULL) {
        char length[TEXT_I64_BYTES];
        (void)text_from_i64((int64_t)reply->body_bytes, length);
        add_header(out, "Content-Length", length);
    }
}

const char *answer_add_chunk(struct buf *out, size_t bytes, bool last)
{
    const char *end = last ? "\r\n0\r\n\r\n" : "\r\n";
    if (bytes == 0) {
        return end + strlen("\r\n");
    }
    buf_printf(out, "%zx\r\n", bytes);
    return end;
}
