// payment_create_read, the body of POST /v1/payments: a body without errors is a payment that can be
// charged. A body with errors reports each of them, except that card data is reported alone.
#include "api/handlers.h"
#include "api/request.h"
#include "base/json_reader.h"
#include "fuzz_request.h"

static void check_payment(const struct payment *payment)
{
    REQUIRE(payment->currency != NULL && payment->amount_minor > 0);
    REQUIRE(payment->amount_minor <= payment->currency->minor_max);
    REQUIRE(strcmp(payment->provider, "stripe") == 0);
    if (payment->metadata_json != NULL) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        const struct json_value *metadata = NULL;
        REQUIRE(json_read(&arena, payment->metadata_json, strlen(payment->metadata_json), JSON_VALUES_MAX,
                          &metadata, NULL) == OK);
        REQUIRE(metadata->count <= 40);
        REQUIRE(json_read_member(metadata, "payment_id") == NULL &&
                json_read_member(metadata, "merchant_id") == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct json_value *body = NULL;
    if (json_read(&arena, (const char *)data, bytes, JSON_VALUES_MAX, &body, NULL) != OK ||
        !json_is(body, JSON_OBJECT)) {
        return 0; // covered by fuzz_json
    }
    struct request *request = fuzz_request(&arena);
    request->body = body;
    request->idempotency_key = "order-123";
    payment_create_read(request);
    REQUIRE(request->refusal == NULL);
    check_field_errors(&request->field_errors);
    if (request->field_errors.count == 0) {
        check_payment(request->input); // the input begins with the payment
    }
    return 0;
}
