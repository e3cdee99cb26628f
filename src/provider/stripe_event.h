// Stripe's events: whether one is really from Stripe, and what it says. Pure; any thread.
#pragma once

#include <json-c/json.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "provider/provider.h"

// How old or ahead a signature may be (https://docs.stripe.com/webhooks/signature): 300 s passes, 301 does
// not.
#define STRIPE_SIGNATURE_TOLERANCE_S 300
#define STRIPE_SIGNATURES_MAX 16

// A Stripe-Signature header taken apart: `t=...,v1=...[,v1=...]`; other schemes are ignored.
struct stripe_signature {
    char time_text[24]; // as written: it is part of what was signed
    int64_t time_s;
    uint8_t v1[STRIPE_SIGNATURES_MAX][32];
    size_t count;
};

// ERR_SIGNATURE_INVALID with a sentence: no header, no time, a time out of bounds, no well-formed v1.
enum errc stripe_signature_parse(const char *header, int64_t now_s, struct stripe_signature *signature,
                                 struct err *err) MUST_CHECK;
// Whether any of its v1 is HMAC-SHA256(secret, time "." body), compared in constant time. The key is the
// whole "whsec_..." text.
bool stripe_signature_matches(const struct stripe_signature *signature, const struct secret *secret,
                              const void *body, size_t body_bytes);

enum provider_event_kind {
    EVENT_OTHER,           // not one that we act on
    EVENT_INTENT,          // tells an intent's state: `intent`
    EVENT_CHARGE_REFUNDED, // something of a charge was refunded: `charge`
    EVENT_REFUND,          // tells a refund's state: `refund`
    EVENT_SETUP,           // something became of a card's set-up, object_id
    EVENT_METHOD_GONE,     // object_id, of customer_ref, can no longer be charged
    EVENT_METHOD_UPDATED,  // object_id, of customer_ref, is another card now
    EVENT_CUSTOMER_GONE,   // object_id and all its methods
    EVENT_DISPUTE_OPENED,  // `dispute`
    EVENT_DISPUTE_CLOSED,
};

// A charge that was refunded, in whole or in part; amounts in Stripe's minor units, -1: not said.
struct charge_refunded {
    const char *id;
    const char *payment_ref;
    int64_t amount_minor;
    int64_t captured_minor;
    bool whole; // Stripe's own `refunded`
    const char *currency;
};

// A dispute, as it is told on; amounts in Stripe's minor units.
struct dispute {
    const char *id;
    const char *status;
    const char *reason;
    int64_t amount_minor; // -1: not said
    const char *currency;
    int64_t evidence_due_s; // 0: not said
};

struct provider_event {
    const char *id;
    const char *type;
    int64_t created_s; // by the provider's clock; 0: not said
    bool livemode;
    enum provider_event_kind kind;
    bool thin;     // it names its object and says nothing of it (https://docs.stripe.com/event-destinations)
    bool complete; // false: something needed is missing or contradicts the type, so the object must be read
    const char *object_id;    // NULL: none
    const char *payment_ref;  // the intent that it is about; NULL: none
    const char *customer_ref; // the provider's customer that its method is or was of; NULL: none
    const char *payment_id;   // metadata, NULL: none
    const char *merchant_id;
    bool marked; // its object carries the mark of a request of this service's
    const char *customer_id;
    const char *card_id;
    struct provider_payment payment;
    struct charge_refunded charge;
    struct provider_refund refund;
    struct dispute dispute;
};

// Reads an event object. ERR_BAD_REQUEST where it is not one. Text in the arena.
enum errc stripe_event_of_json(struct json_object *root, struct arena *arena, struct provider_event *event,
                               struct err *err) MUST_CHECK;
// Adds the types that we act on to a query of events.
void stripe_event_add_types(struct buf *query);
// Reads an event from the raw body. ERR_BAD_REQUEST where it is not an event object. Text in the arena.
enum errc stripe_event_parse(const char *body, size_t bytes, struct arena *arena,
                             struct provider_event *event, struct err *err) MUST_CHECK;
