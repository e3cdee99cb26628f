// PaymentMethod objects. They are made from test cards, attached to customers, and detached for good.
// https://docs.stripe.com/api/payment_methods/attach
#pragma once

#include "sandbox/call.h"
#include "sandbox/test_methods.h"

// The PaymentMethod that a caller names: the name of a test method makes a new one (with its own id, as at
// Stripe), an id finds an existing one. False: *refusal is filled.
bool method_resolve(const struct context *context, const char *id, struct document *method,
                    struct refusal *refusal) MUST_CHECK;
// Whether the method may be charged for the customer (NULL: none). An attached method is charged only for its
// own customer. False: *refusal is filled.
bool method_check_owner(const struct context *context, const struct document *method, const char *customer_id,
                        struct refusal *refusal) MUST_CHECK;
// The test method that it was made from.
const struct test_method *method_behaviour(const struct document *method);
// Whether the card's month of expiry is over.
bool method_has_expired(const struct context *context, const struct document *method);
// How the bank declines the card when it is asked without an amount, as before the card is saved; NULL: it
// does not.
const struct decline *method_decline(const struct context *context, const struct document *method);
// 402 card_error.
struct refusal decline_refusal(const struct decline *decline);
// How a charge, refund, dispute or setup attempt shows its card. Takes the card.
struct json_object *card_details_json(struct json_object *card);
// Empty billing details.
struct json_object *billing_details_json(void);

// Finds the method that a caller names (a test card makes a new one), to attach it to the customer. False:
// refused, because there is none, another customer has it, or its bank declines.
bool saved_method_find(struct call *call, const char *id, const char *customer_id,
                       struct document *method) MUST_CHECK;
// Attaches a method that is not attached and may still be used. Saves and emits.
void saved_method_attach(const struct context *context, struct document *method, const char *customer_id);
// Detaches it. Saves, and emits nothing.
void saved_method_detach(struct document *method);
// The customer is deleted: detaches all its methods. No event reports that.
void saved_methods_forget(const struct context *context, const char *customer_id);
// The bank replaced the card: copies exp_month, exp_year, last4, brand from wanted. Saves and emits.
void saved_method_replace_card(const struct context *context, struct document *method,
                               struct json_object *wanted);
