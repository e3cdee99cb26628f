// Errors and answers. Pure. See response.h.
#include "sandbox/response.h"

#include <string.h>

#include "base/require.h"

bool refusal_set(struct refusal *refusal, int status, const char *code, const char *param,
                 const char *message)
{
    *refusal = (struct refusal){.status = status, .code = code, .param = param, .message = message};
    return false;
}

static void add_if_set(struct json_object *json, const char *name, const char *text)
{
    if (text != NULL) {
        json_add_str(json, name, text);
    }
}

struct json_object *refusal_json(const struct refusal *refusal)
{
    struct json_object *json = json_new_object();
    add_if_set(json, "advice_code", refusal->advice_code);
    add_if_set(json, "charge", refusal->charge);
    add_if_set(json, "code", refusal->code);
    add_if_set(json, "decline_code", refusal->decline_code);
    if (refusal->code != NULL) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        char *page = arena_strdup(&arena, refusal->code);
        for (char *at = strchr(page, '_'); at != NULL; at = strchr(at, '_')) {
            *at = '-';
        }
        json_add_str(json, "doc_url", arena_printf(&arena, "https://stripe.com/docs/error-codes/%s", page));
    }
    add_if_set(json, "message", refusal->message);
    add_if_set(json, "param", refusal->param);
    if (refusal->payment_intent != NULL) {
        json_add(json, "payment_intent", json_object_get(refusal->payment_intent));
    }
    if (refusal->payment_method != NULL) {
        json_add(json, "payment_method", json_object_get(refusal->payment_method));
    }
    add_if_set(json, "request_log_url", refusal->request_log_url);
    if (refusal->setup_intent != NULL) {
        json_add(json, "setup_intent", json_object_get(refusal->setup_intent));
    }
    json_add_str(json, "type", refusal->type == NULL ? "invalid_request_error" : refusal->type);
    return json;
}

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
