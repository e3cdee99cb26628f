// What PaymentIntents and SetupIntents share: parameters, members, the status, and the request for 3-D
// Secure. "intent" means either.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/call.h"
#include "sandbox/test_methods.h"

// Whether the parameters of the creation of either may be combined. False: refused.
bool intent_check_create(struct call *call) MUST_CHECK;
// Makes a new intent around json, which it takes, with the call's metadata and payment method. False:
// refused.
bool intent_begin(struct call *call, struct json_object *json, struct document *intent,
                  struct document *method) MUST_CHECK;
// The member automatic_payment_methods; NULL: they are off.
struct json_object *intent_automatic_methods(struct call *call);
// The member payment_method_options.
struct json_object *intent_card_options(const struct call *call);
// The member payment_method_types.
struct json_object *intent_method_types(struct call *call);
// The member client_secret.
const char *intent_client_secret(const struct context *context, const char *id);

// Handler for both kinds.
void intent_retrieve(struct call *call);

// Gives the intent the method that the call names, if it names one, and opens it. False: refused.
bool intent_set_method(struct call *call, struct document *intent, struct document *method) MUST_CHECK;
// Opens the method that the call names, otherwise the intent's; if there is neither, *method stays empty.
// False: refused.
bool intent_choose_method(struct call *call, const struct document *intent,
                          struct document *method) MUST_CHECK;
// Sets the customer that the call names. A customer that is set cannot be changed. False: refused.
bool intent_set_customer(struct call *call, struct document *intent) MUST_CHECK;

bool intent_status_is(const struct document *intent, const char *status);
void intent_set_status(struct document *intent, const char *status);
// 400 payment_intent_unexpected_state or setup_intent_unexpected_state, with the intent. verb: "confirmed".
void intent_refuse_state(struct call *call, const struct document *intent, const char *verb);

// Whether the call may give any of these parameters, which may change only while no attempt is in progress or
// done. False: refused.
bool intent_check_open(struct call *call, const struct document *intent, const char *const *params,
                       size_t count) MUST_CHECK;
// Whether the intent's status allows a confirmation, and so a cancellation. False: refused.
bool intent_check_confirmable(struct call *call, const struct document *intent, const char *verb) MUST_CHECK;

// Whether the intent can be confirmed with this method and return URL (NULL: none). False: refused.
bool intent_check_confirmation(struct call *call, const struct document *intent,
                               const struct document *method, const char *return_url) MUST_CHECK;
// Answers a confirmation. decline: why the card was declined, NULL: it was not.
void intent_answer_attempt(struct call *call, const struct document *intent, const struct document *method,
                           const struct decline *decline);
// Asks the payer for 3-D Secure: on a page of the sandbox, or in the caller's own page by Stripe.js. Does not
// save the intent.
void intent_require_action(const struct context *context, struct document *intent, const char *return_url,
                           bool use_stripe_sdk);
