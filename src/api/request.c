// Reading a request: who sent it, its id, its key, its body. Pure but for the clocks. Loop thread.
#include "api/request.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "base/require.h"
#include "base/text.h"

// A payment has at most 52; a body with far more is not an honest mistake.
#define BODY_VALUES_MAX 1000
#define REQUEST_ID_LENGTH_MAX 128

static bool sane_request_id(const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;
    return length > 0 && length <= REQUEST_ID_LENGTH_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

// The client's address: the peer's, or, if the peer is a trusted proxy, that of the last hop in
// X-Forwarded-For that is not trusted.
static struct address client_address(struct api *api, struct http_exchange *exchange)
{
    struct address client = exchange->peer;
    if (!network_list_has(&api->trusted_proxies, &client)) {
        return client;
    }
    char *hops = arena_strdup(&exchange->arena, http_exchange_header_list(exchange, "X-Forwarded-For"));
    while (hops != NULL && network_list_has(&api->trusted_proxies, &client)) {
        char *comma = strrchr(hops, ',');
        struct address hop;
        if (!address_parse_with_port(text_trim(&exchange->arena, comma != NULL ? comma + 1 : hops), &hop)) {
            break;
        }
        client = hop;
        if (comma == NULL) {
            break;
        }
        *comma = '\0';
    }
    return client;
}

struct request *request_new(struct api *api, struct http_exchange *exchange)
{
    struct request *request = calloc(1, sizeof(*request));
    REQUIRE(request != NULL);
    exchange->context = request;
    api->requests_total++;
    request->api = api;
    request->exchange = exchange;
    request->arena = &request->memory;
    request->client = client_address(api, exchange);
    request->arrived_us = loop_mono_us(api->loop);
    request->now_us = loop_wall_us(api->loop);
    const char *given = http_exchange_header(exchange, "X-Request-Id", NULL);
    if (sane_request_id(given)) {
        request->id = arena_strdup(&exchange->arena, given);
    } else {
        struct uuid id = uuid_new(api->random, request->now_us);
        char text[UUID_TEXT_BYTES];
        uuid_format(&id, text);
        request->id = arena_strdup(&exchange->arena, text);
    }
    return request;
}

void request_free(struct request *request)
{
    arena_release(request->arena);
    explicit_bzero(request, sizeof(*request));
    free(request);
}

void request_refuse(struct request *request, enum errc code, const char *sentence)
{
    struct err err;
    (void)err_set(&err, code, "%s", sentence);
    request->refusal = arena_memdup(request->arena, &err, sizeof(err));
}

void request_read_idempotency_key(struct request *request)
{
    bool repeated = false;
    const char *key = http_exchange_header(request->exchange, "Idempotency-Key", &repeated);
    if (key == NULL) {
        return;
    }
    size_t length = strlen(key);
    bool visible = length >= 1 && length <= 255;
    for (size_t i = 0; visible && i < length; i++) {
        visible = key[i] > 0x20 && key[i] < 0x7f;
    }
    if (!visible || repeated) {
        request_refuse(request, ERR_BAD_REQUEST,
                       "Idempotency-Key must be one header of 1 to 255 visible ASCII characters");
        return;
    }
    request->idempotency_key = arena_strdup(request->arena, key);
}

// "amount=10.00&currency=USD", as curl -d sends it.
static bool looks_like_form(const char *text)
{
    if (*text == '{') {
        return false; // nearly always, and strspn with so many characters makes a table at each call
    }
    size_t name = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-[]%+");
    return name > 0 && text[name] == '=';
}

// Some systems begin UTF-8 text with a byte-order mark, which a reader may skip (RFC 8259 section 8.1).
void request_read_json(struct request *request)
{
    static const char mark[] = "\xef\xbb\xbf";
    const struct buf *body = &request->exchange->body;
    size_t skipped = text_starts_with(buf_str(body), mark) ? strlen(mark) : 0;
    const char *text = buf_str(body) + skipped;
    size_t length = body->len - skipped;
    struct err err = {0};
    if (length == 0) {
        request_refuse(request, ERR_BAD_REQUEST, "the body is empty; it must be a JSON object");
    } else if (looks_like_form(text)) {
        request_refuse(request, ERR_BAD_REQUEST,
                       "the body must be JSON, {\"name\": \"value\"}, but this is a form, name=value");
    } else if (json_read(request->arena, text, length, BODY_VALUES_MAX, &request->body, &err) != OK) {
        request_refuse(request, err.code, err.message);
    } else if (!json_is(request->body, JSON_OBJECT)) {
        request_refuse(request, ERR_BAD_REQUEST, "the body must be a JSON object");
    }
}

enum errc request_check_reserved(const struct request *request, struct err *err)
{
    return request->operation.slots != NULL
               ? OK
               : err_set(err, ERR_OVERLOADED, "%s; nothing was recorded, try again",
                         request->unready != NULL ? request->unready : "too many operations are in progress");
}

void request_answer(struct request *request, int status, struct json_writer *json)
{
    request->status = status;
    request->reply = json_finish(json);
}
