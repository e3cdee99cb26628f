// What an event of a provider says. Its text lives in the arena that it was read into.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "domain/payment.h"
#include "domain/refund.h"

enum provider_event_kind {
    EVENT_OTHER,           // not one that we act on
    EVENT_PAYMENT,         // tells a payment's state: `payment`
    EVENT_CHARGE_REFUNDED, // something of a charge was refunded: `charge`
    EVENT_REFUND,          // tells a refund's state: `refund`
    EVENT_SETUP,           // something became of a card's set-up, object_id
    EVENT_METHOD_GONE,     // object_id, of customer_ref, can no longer be charged
    EVENT_METHOD_UPDATED,  // object_id, of customer_ref, is another card now
    EVENT_CUSTOMER_GONE,   // object_id and all its methods
    EVENT_DISPUTE_OPENED,  // this and the next two: `dispute`
    EVENT_DISPUTE_CHANGED,
    EVENT_DISPUTE_CLOSED,
};

// A charge that was refunded, in whole or in part; amounts in the provider's minor units, -1: not said.
struct charge_refunded {
    const char *id;
    const char *payment_ref;
    int64_t amount_minor;
    int64_t captured_minor;
    bool whole; // the provider's own word that all of it was refunded
    const char *currency;
};

// A dispute as the event shows it.
struct provider_dispute {
    const char *id;
    const char *status;
    const char *reason;
    int64_t amount_provider_minor; // -1: not said
    const char *currency;          // as the provider wrote it
    int64_t evidence_due_s;        // 0: not said
};

struct provider_event {
    const char *id;
    const char *type;
    int64_t created_s; // by the provider's clock; 0: not said
    bool livemode;
    enum provider_event_kind kind;
    bool thin;     // it names its object and says nothing of it
    bool complete; // false: something needed is missing or contradicts the type, so the object must be read
    const char *object_id;    // NULL: none
    const char *payment_ref;  // the provider's id of the payment that it is about; NULL: none
    const char *customer_ref; // the provider's customer that its method is or was of; NULL: none
    const char *payment_id;   // metadata, NULL: none
    const char *merchant_id;
    bool marked; // its object carries the mark of a request of this service's
    const char *customer_id;
    const char *card_id;
    struct provider_payment payment;
    struct charge_refunded charge;
    struct provider_refund refund;
    struct provider_dispute dispute;
};

// Whether it is about a dispute.
static inline bool event_is_of_dispute(const struct provider_event *event)
{
    return event->kind == EVENT_DISPUTE_OPENED || event->kind == EVENT_DISPUTE_CHANGED ||
           event->kind == EVENT_DISPUTE_CLOSED;
}
