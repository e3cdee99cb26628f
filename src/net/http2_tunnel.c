// What is said to a proxy, and how its answer is read: CONNECT (RFC 9110 section 9.3.6). Pure; any thread.
#include <string.h>

#include "base/text.h"
#include "net/http2_private.h"

static const char head_end[] = "\r\n\r\n";

const char *http2_tunnel_request(struct arena *arena, const struct url *origin, const char *user_agent)
{
    bool ipv6 = strchr(origin->host, ':') != NULL;
    const char *authority =
        arena_printf(arena, ipv6 ? "[%s]:%u" : "%s:%u", origin->host, (unsigned)origin->port);
    return arena_printf(arena, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s%s", authority, authority,
                        user_agent, head_end);
}

enum http2_tunnel_answer http2_tunnel_answer(const char *answer, size_t bytes)
{
    const char *end = strstr(answer, head_end);
    if (strlen(answer) != bytes || (end != NULL && end + strlen(head_end) != answer + bytes)) {
        return HTTP2_TUNNEL_MALFORMED; // it holds a NUL, or goes on after the head
    }
    if (end == NULL) {
        return HTTP2_TUNNEL_MORE;
    }
    // "HTTP/1.1 200 ..."
    bool success = text_starts_with(answer, "HTTP/1.") && bytes > strlen("HTTP/1.1 2") && answer[8] == ' ' &&
                   answer[9] == '2';
    return success ? HTTP2_TUNNEL_OPEN : HTTP2_TUNNEL_REFUSED;
}
