// See error_reply.h.
#include "api/error_reply.h"

#include "base/require.h"

static const struct {
    int status;
    const char *code;
} codes[] = {
    [OK] = {200, ""},
    [ERR_AUTH_INVALID_KEY] = {401, "AUTH_INVALID_KEY"},
    [ERR_AUTH_INSUFFICIENT_SCOPE] = {403, "AUTH_INSUFFICIENT_SCOPE"},
    [ERR_AUTH_RATE_LIMITED] = {429, "AUTH_RATE_LIMITED"},
    [ERR_BAD_REQUEST] = {400, "BAD_REQUEST"},
    [ERR_FORBIDDEN] = {403, "AUTH_INSUFFICIENT_SCOPE"},
    [ERR_IDEMPOTENCY_KEY_REQUIRED] = {400, "IDEMPOTENCY_KEY_REQUIRED"},
    [ERR_SIGNATURE_INVALID] = {400, "SIGNATURE_INVALID"},
    [ERR_NOT_FOUND] = {404, "NOT_FOUND"},
    [ERR_METHOD_NOT_ALLOWED] = {405, "METHOD_NOT_ALLOWED"},
    [ERR_CONFLICT] = {409, "CONFLICT"},
    [ERR_IDEMPOTENCY_IN_PROGRESS] = {409, "IDEMPOTENCY_IN_PROGRESS"},
    [ERR_REQUEST_TIMEOUT] = {408, "REQUEST_TIMEOUT"},
    [ERR_HEAD_TOO_LARGE] = {431, "HEAD_TOO_LARGE"},
    [ERR_PAYLOAD_TOO_LARGE] = {413, "PAYLOAD_TOO_LARGE"},
    [ERR_UNSUPPORTED_MEDIA_TYPE] = {415, "UNSUPPORTED_MEDIA_TYPE"},
    [ERR_VALIDATION] = {422, "VALIDATION_ERROR"},
    [ERR_IDEMPOTENCY_KEY_REUSED] = {422, "IDEMPOTENCY_KEY_REUSED"},
    [ERR_CARD_DATA_REFUSED] = {422, "CARD_DATA_REFUSED"},
    [ERR_REFUND_EXCEEDS] = {422, "REFUND_EXCEEDS_PAYMENT"},
    [ERR_PROVIDER_NOT_CONFIGURED] = {422, "PROVIDER_NOT_CONFIGURED"},
    [ERR_PROVIDER_REJECTED] = {422, "PROVIDER_REJECTED"},
    [ERR_PROVIDER_AUTH_FAILED] = {422, "PROVIDER_AUTH_FAILED"},
    [ERR_PROVIDER_UNAVAILABLE] = {503, "PROVIDER_UNAVAILABLE"},
    [ERR_OVERLOADED] = {503, "OVERLOADED"},
    [ERR_CATCHING_UP] = {503, "CATCHING_UP"},
    [ERR_STORE_BUSY] = {503, "OVERLOADED"},
    [ERR_STORE_AWAY] = {503, "OVERLOADED"},
    [ERR_STORE_UNKNOWN] = {503, "OUTCOME_UNKNOWN"},
    [ERR_EXISTS] = {500, "INTERNAL_ERROR"},
    [ERR_STORE] = {500, "INTERNAL_ERROR"},
    [ERR_UNKNOWN] = {500, "INTERNAL_ERROR"},
    [ERR_IO] = {500, "INTERNAL_ERROR"},
    [ERR_CRYPTO] = {500, "INTERNAL_ERROR"},
    [ERR_CONFIG] = {500, "INTERNAL_ERROR"},
};
_Static_assert(COUNT_OF(codes) == ERRC_COUNT, "every error has its status and code");

int errc_status(enum errc code)
{
    return codes[code].status;
}

const char *errc_public_code(enum errc code)
{
    return codes[code].code;
}

static struct json_writer begin(struct arena *arena)
{
    struct json_writer json = json_writer(arena);
    json_open_object(&json, NULL);
    json_write_bool(&json, "success", false);
    json_open_array(&json, "errors");
    return json;
}

static void write_error(struct json_writer *json, enum errc code, const char *message, const char *field)
{
    json_open_object(json, NULL);
    json_write_str(json, "code", errc_public_code(code));
    json_write_str(json, "message",
                   errc_status(code) == 500 ? "internal error; search the service's log for the request id"
                                            : message);
    if (field != NULL) {
        json_write_str(json, "field", field);
    }
    json_close(json);
}

static const char *finish(struct json_writer *json, const char *request_id)
{
    json_close(json);
    json_write_str(json, "request_id", request_id);
    return json_finish(json);
}

const char *error_reply(struct arena *arena, const struct err *err, const char *request_id)
{
    struct json_writer json = begin(arena);
    write_error(&json, err->code, err->message, NULL);
    return finish(&json, request_id);
}

const char *error_reply_fields(struct arena *arena, const struct field_errors *errors, const char *request_id)
{
    struct json_writer json = begin(arena);
    for (size_t i = 0; i < errors->count; i++) {
        write_error(&json, errors->items[i].code, errors->items[i].message, errors->items[i].field);
    }
    return finish(&json, request_id);
}
