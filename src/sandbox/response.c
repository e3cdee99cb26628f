// Answers as bytes. Pure. See response.h.
#include "sandbox/response.h"

#include <string.h>

#include "base/require.h"

void response_header(struct sandbox_response *response, const char *name, const char *value)
{
    REQUIRE(response->header_count < SANDBOX_HEADERS_MAX);
    response->headers[response->header_count++] = (struct http_reply_header){name, value};
}

void response_text(struct sandbox_response *response, int status, const char *content_type, const char *text)
{
    response->status = status;
    response->content_type = content_type;
    response->body = text;
    response->body_bytes = strlen(text);
}

void response_json(struct sandbox_response *response, int status, struct json_object *value)
{
    response_text(response, status, "application/json", json_text(response->arena, value));
    json_release(&value);
}

void response_refuse(struct sandbox_response *response, int status, const char *message)
{
    struct json_object *body = json_new_object();
    struct json_object *error = json_new_object();
    json_add_str(error, "message", message);
    json_add(body, "error", error);
    response_json(response, status, body);
}
