// stripe_event_parse: an accepted event has an id and a type. An event marked complete has everything that
// handling it needs. No event contains a secret or an action for the payer.
#include "provider/stripe/event.h"

#include "base/text.h"
#include "fuzz.h"

static void check_text(const char *text)
{
    REQUIRE(text == NULL || text_is_utf8(text, strlen(text)));
}

static void check_intent(const struct provider_event *event)
{
    const struct provider_payment *intent = &event->payment;
    REQUIRE(intent->next_action == NEXT_ACTION_NONE && intent->redirect_url == NULL &&
            intent->client_secret == NULL);
    check_text(intent->failure.code);
    check_text(intent->failure.decline_code);
    check_text(intent->failure.message);
    REQUIRE(intent->failure.message == NULL || strstr(intent->failure.message, "sk_live_") == NULL);
    if (event->complete) {
        REQUIRE(strcmp(intent->id, event->payment_ref) == 0 && intent->amount_provider_minor >= 0 &&
                intent->currency != NULL);
        REQUIRE(intent->state != PROVIDER_PAYMENT_SUCCEEDED || intent->received_provider_minor >= 0);
    }
}

static void check_charge(const struct provider_event *event)
{
    const struct charge_refunded *charge = &event->charge;
    if (event->complete) {
        REQUIRE(charge->amount_minor >= 0 && charge->captured_minor > 0 && charge->currency != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct provider_event event;
    struct err err = {0};
    if (stripe_event_parse((const char *)data, bytes, &arena, &event, &err) != OK) {
        REQUIRE(err.code == ERR_BAD_REQUEST && err.message[0] != '\0');
        return 0;
    }
    REQUIRE(event.id[0] != '\0' && strlen(event.id) <= 255 && strlen(event.type) <= 255);
    check_text(event.id);
    check_text(event.type);
    check_text(event.object_id);
    check_text(event.payment_id);
    check_text(event.merchant_id);
    check_text(event.customer_id);
    check_text(event.card_id);
    check_text(event.customer_ref);
    switch (event.kind) {
    case EVENT_OTHER:
        break;
    case EVENT_SETUP:
    case EVENT_METHOD_GONE:
    case EVENT_METHOD_UPDATED:
    case EVENT_CUSTOMER_GONE:
        REQUIRE(!event.complete || event.object_id != NULL);
        break;
    case EVENT_PAYMENT:
        check_intent(&event);
        break;
    case EVENT_CHARGE_REFUNDED:
        check_charge(&event);
        break;
    case EVENT_REFUND:
        REQUIRE(!event.complete || (event.refund.id != NULL && event.refund.amount_provider_minor > 0));
        break;
    case EVENT_DISPUTE_OPENED:
    case EVENT_DISPUTE_CHANGED:
    case EVENT_DISPUTE_CLOSED:
        REQUIRE(!event.complete || event.dispute.id != NULL);
        break;
    }
    return 0;
}
