// PaymentMethod objects: made of test cards, attached to customers, and detached from them for good.
// https://docs.stripe.com/api/payment_methods/attach
#pragma once

#include "sandbox/call.h"
#include "sandbox/test_methods.h"

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
// 402 card_error.
struct refusal decline_refusal(const struct decline *decline);
// Billing details that nobody gave.
struct json_object *billing_details_json(void);

// The method that a caller names (a test card makes a new one), ready to be attached to the customer. False:
// refused, because there is none, another customer has it, or its bank declines.
bool saved_method_find(struct call *call, const char *id, const char *customer_id,
                       struct document *method) MUST_CHECK;
// Attaches a method that belongs to nobody and may still be used. Saves and emits.
void saved_method_attach(const struct context *context, struct document *method, const char *customer_id);
// Detaches it. Saves, and emits nothing.
void saved_method_detach(struct document *method);
// The customer is deleted: detaches all its methods. No event reports that.
void saved_methods_forget(const struct context *context, const char *customer_id);
// The card's bank has replaced it: takes exp_month, exp_year, last4, brand from wanted. Saves and emits.
void saved_method_replace_card(const struct context *context, struct document *method,
                               struct json_object *wanted);
