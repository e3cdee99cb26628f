// The bodies of all routes except POST /v1/payments (see fuzz_payment_body.c): reading a body only adds the
// errors of its fields, and reading it again adds as many. The first byte chooses the route, the rest is the
// body.
#include "api/handlers.h"
#include "api/request.h"
#include "base/json_reader.h"
#include "fuzz_request.h"

static void (*const reads[])(struct request *request) = {
    refund_create_read, card_create_read, payment_capture_read, providers_put_read, webhook_put_read};

static size_t read_body(void (*read)(struct request *request), const struct json_value *body)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct request *request = fuzz_request(&arena);
    request->body = body;
    read(request);
    REQUIRE(request->refusal == NULL && request->reply == NULL);
    check_field_errors(&request->field_errors);
    return request->field_errors.count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct json_value *body = NULL;
    if (bytes == 0 ||
        json_read(&arena, (const char *)data + 1, bytes - 1, JSON_VALUES_MAX, &body, NULL) != OK ||
        !json_is(body, JSON_OBJECT)) {
        return 0; // covered by fuzz_json
    }
    void (*read)(struct request * request) = reads[data[0] % COUNT_OF(reads)];
    REQUIRE(read_body(read, body) == read_body(read, body));
    return 0;
}
