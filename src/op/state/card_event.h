// What the provider's events say of saved cards and their customers. Database thread, in the event's
// transaction.
#pragma once

#include "domain/card.h"
#include "op/state/payment_change.h"
#include "provider/stripe_event.h"

// What of a merchant's an event is about.
struct card_subject {
    struct card card; // EVENT_SETUP, EVENT_METHOD_*; without an id: one that is being saved, which will be
                      // asked after
    struct customer customer; // EVENT_CUSTOMER_GONE
};

// ERR_NOT_FOUND: nothing of this merchant's and the event's mode. What is being saved from the event's
// method, or for its customer, is marked to be read once it is there.
enum errc card_event_find(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
                          const struct provider_event *event, struct card_subject *subject,
                          struct err *err) MUST_CHECK;
enum errc card_event_apply(struct tx *tx, const struct provider_event *event, struct card_subject *subject,
                           struct err *err) MUST_CHECK;
