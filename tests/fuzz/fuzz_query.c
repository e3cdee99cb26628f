// The query strings of lists: an accepted query is within its bounds and has a page, a size and a cursor that
// this service issued; anything else is reported as an error. The first byte chooses the list, the rest is
// the query string.
#include "api/cursor.h"
#include "api/listing_input.h"
#include "fuzz_request.h"
#include "store/audit.h"
#include "store/cards.h"
#include "store/customers.h"
#include "store/disputes.h"
#include "store/inbox.h"
#include "store/outbox.h"
#include "store/payments.h"
#include "store/refunds.h"

static const struct listing *const listings[] = {
    &payment_listing,         &card_listing,    &refund_listing,   &outbox_log_listing, &audit_listing,
    &payment_history_listing, &dispute_listing, &customer_listing, &inbox_listing};

static void check_cursor(const struct request *request)
{
    const struct listing_input *input = request->input;
    const struct keyring *keyring = request->api->keyring;
    const char *list = input->query.listing->name;
    const char *text = listing_given(request, "cursor");
    struct uuid last;
    REQUIRE((input->after != NULL) == (text != NULL));
    if (text != NULL) {
        REQUIRE(cursor_read(keyring, list, text, &last));
        REQUIRE(strcmp(cursor_make(keyring, request->arena, list, &last), text) == 0);
    }
}

static void check_input(const struct request *request)
{
    const struct listing_input *input = request->input;
    REQUIRE(input->page >= 1 && input->page <= 1000000 && input->page_size >= 1 && input->page_size <= 100);
    REQUIRE(input->query.test || input->query.live);
    REQUIRE(input->query.condition_count <= LISTING_CONDITIONS_MAX);
    for (size_t i = 0; i < input->query.condition_count; i++) {
        const struct db_value *value = &input->query.conditions[i].value;
        REQUIRE(value->type != DB_TEXT || text_is_utf8(value->data, strlen(value->data)));
    }
    check_cursor(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct request *request = fuzz_request(&arena);
    if (bytes == 0 || form_parse((const char *)data + 1, bytes - 1, &arena, &request->query, NULL) != OK) {
        return 0; // covered by fuzz_form
    }
    listing_read(request, listings[data[0] % COUNT_OF(listings)]);
    check_field_errors(&request->field_errors);
    if (request->field_errors.count == 0) {
        check_input(request);
    }
    return 0;
}
