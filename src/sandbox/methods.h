// The test payment methods: one row each, what card it shows and how a charge of it goes. Pure.
// https://docs.stripe.com/testing; those named pm_sandbox_... are this sandbox's own.
#pragma once

#include "base/json.h"
#include "sandbox/refusal.h"
#include "sandbox/state.h"

enum authentication {
    AUTHENTICATION_NONE,
    AUTHENTICATION_ALWAYS,       // 3-D Secure on every payment
    AUTHENTICATION_ON_SESSION,   // only while the payer is there: the card is already set up for later
    AUTHENTICATION_UNTIL_SET_UP, // the same once a payment has set it up; until then on every payment
};

enum ending {
    ENDING_SUCCEEDS,
    ENDING_DECLINES,
    ENDING_PROCESSES,       // processing, succeeded a while later
    ENDING_PROCESSES_FAILS, // processing, declined a while later
    ENDING_SERVER_ERROR,    // charged, but the call answers 500, then and whenever its key is used again
};

// What becomes of its refunds.
enum refund_course {
    REFUND_SUCCEEDS,
    REFUND_PENDS,           // pending, succeeded a while later
    REFUND_FAILS,           // succeeded, failed a while later
    REFUND_REQUIRES_ACTION, // until it is canceled
    REFUND_SERVER_ERROR,    // made, but the call answers 500, then and whenever its key is used again
};

struct decline {
    const char *code;
    const char *decline_code; // NULL: the code says it all
    const char *advice_code;
    const char *message;
};

struct test_method {
    const char *id;
    const char *last4;
    const char *brand;
    const char *funding;
    enum authentication authentication;
    enum ending ending;
    const struct decline *decline; // where it ends so
    bool sets_up;                  // although it declines every charge, its bank grants it to be saved
    enum refund_course refund;
    const char *dispute_reason; // NULL: nobody disputes its charges
    bool inquiry;               // the dispute only asks
};

extern const struct decline decline_authentication_required;
extern const struct decline decline_authentication_not_handled;
extern const struct decline decline_expired_card;

// NULL: there is none of that id.
const struct test_method *test_method_find(const char *id);

// A PaymentMethod of the account for an id that a caller sent: a test method's name makes a new one (with an
// id of its own, as at Stripe), an id made before finds it. False: *refusal is filled.
bool method_resolve(const struct context *context, const char *id, struct document *method,
                    struct refusal *refusal) MUST_CHECK;
// Whether it may be charged for the customer (NULL: for nobody): one that is attached only for its own.
// False: *refusal is filled.
bool method_check_owner(const struct context *context, const struct document *method, const char *customer_id,
                        struct refusal *refusal) MUST_CHECK;
// The row behind a PaymentMethod.
const struct test_method *method_behaviour(const struct document *method);
// Whether the month that is printed on the card is over.
bool method_has_expired(const struct context *context, const struct document *method);
// What the bank says to the card when it is asked without an amount, as it is for a card that is saved; NULL:
// the card is good.
const struct decline *method_decline(const struct context *context, const struct document *method);
// Billing details that nobody gave.
struct json_object *billing_details_json(void);
// GET /v1/payment_methods/{id}
struct call;
void method_retrieve(struct call *call);
