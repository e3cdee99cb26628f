// payment_create_read, the body of POST /v1/payments: a body without errors is a payment that can be
// charged. A body with errors reports each of them, except that card data is reported alone.
#include "api/handlers.h"
#include "api/request.h"
#include "base/json.h"
#include "fuzz_request.h"

static void check_payment(const struct payment *payment)
{
    REQUIRE(payment->currency != NULL && payment->amount_minor > 0);
    REQUIRE(payment->amount_minor <= payment->currency->minor_max);
    REQUIRE(strcmp(payment->provider, "stripe") == 0);
    if (payment->metadata_json != NULL) {
        struct json_object *metadata JSON_CLEANUP = NULL;
        REQUIRE(json_parse(payment->metadata_json, strlen(payment->metadata_json), &metadata, NULL) == OK);
        REQUIRE(json_object_object_length(metadata) <= 40);
        REQUIRE(json_get(metadata, "payment_id") == NULL && json_get(metadata, "merchant_id") == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct json_object *body JSON_CLEANUP = NULL;
    if (json_parse((const char *)data, bytes, &body, NULL) != OK ||
        !json_object_is_type(body, json_type_object)) {
        return 0; // covered by fuzz_json
    }
    struct request *request = fuzz_request(&arena);
    request->body = body;
    request->idempotency_key = "order-123";
    payment_create_read(request);
    REQUIRE(request->refusal.code == OK);
    check_field_errors(&request->field_errors);
    if (request->field_errors.count == 0) {
        check_payment(request->input); // the input begins with the payment
    }
    return 0;
}
