// What every HTTP client does with a call: it keeps the response's headers, and forgets a response.
#include "net/http_client.h"

#include "base/text.h"

void http_call_reset(struct http_call *call)
{
    call->status = 0;
    call->response_header_count = 0;
    call->response_body = BUF_MAX(call->response_bytes_max);
    call->error[0] = '\0';
}

void http_call_add_header(struct http_call *call, const char *name, size_t name_bytes, const char *value,
                          size_t value_bytes)
{
    if (call->response_header_count == HTTP_RESPONSE_HEADERS_MAX) {
        return;
    }
    if (call->response_headers == NULL) { // not before: many calls wait for their answers
        call->response_headers =
            arena_alloc(&call->arena, HTTP_RESPONSE_HEADERS_MAX * sizeof(*call->response_headers));
    }
    call->response_headers[call->response_header_count++] = (struct http_header){
        .name = arena_strndup(&call->arena, name, name_bytes),
        .value = arena_strndup(&call->arena, value, value_bytes),
    };
}

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
    call->response_headers = NULL;
    buf_release(&call->response_body);
    arena_release(&call->arena);
}
