// The provider's events about saved cards and their customers. Database threads, in the event's transaction.
#pragma once

#include "domain/card.h"
#include "op/state/payment_change.h"
#include "provider/event.h"

// What an event is about.
struct card_subject {
    struct card card; // EVENT_SETUP, EVENT_METHOD_*; id nil: cards that are being saved, which will be read
    struct customer customer; // EVENT_CUSTOMER_GONE
};

// ERR_NOT_FOUND: this merchant has nothing of the sort in the event's mode. Cards that are being saved from
// the event's method, or for its customer, are marked to be read once they are saved.
enum errc card_event_find(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
                          const struct provider_event *event, struct card_subject *subject,
                          struct err *err) MUST_CHECK;
enum errc card_event_apply(struct tx *tx, const struct provider_event *event, struct card_subject *subject,
                           struct err *err) MUST_CHECK;
