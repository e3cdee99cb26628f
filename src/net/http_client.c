// What every HTTP client shares: reading and releasing what a response left in the call.
#include "net/http_client.h"

#include "base/text.h"

const char *http_call_header(const struct http_call *call, const char *name)
{
    for (size_t i = 0; i < call->response_header_count; i++) {
        if (text_equal_nocase(call->response_headers[i].name, name)) {
            return call->response_headers[i].value;
        }
    }
    return NULL;
}

void http_call_release(struct http_call *call)
{
    call->response_header_count = 0;
    buf_release(&call->response_body);
    arena_release(&call->arena);
}
