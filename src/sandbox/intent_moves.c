// The moves of a PaymentIntent: attempt, 3-D Secure, settlement. Pure. See intent_moves.h.
// Invariant: an intent has at most one succeeded charge, and each attempt that reached the bank has its own
// charge.
#include "sandbox/intent_moves.h"

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/amounts.h"
#include "sandbox/charges.h"
#include "sandbox/disputes.h"
#include "sandbox/events.h"
#include "sandbox/intent_shared.h"
#include "sandbox/methods.h"
#include "sandbox/scheduled_jobs.h"
#include "sandbox/transactions.h"

#define PROCESSING_US (2 * US_PER_S)

// The parameters of a confirmation.
struct confirmation {
    bool off_session;
    bool error_on_requires_action;
    bool use_stripe_sdk;
    const char *return_url; // NULL: none
};

// The attempt failed: the intent waits for another method.
static void fail(const struct context *context, struct document *intent, const struct refusal *reason)
{
    json_add(intent->json, "last_payment_error", refusal_json(reason));
    json_add(intent->json, "next_action", NULL);
    json_add(intent->json, "payment_method", NULL);
    intent_set_status(intent, "requires_payment_method");
    event_save(context, intent, "payment_intent.payment_failed");
}

// The bank declines a charge.
static void decline_charge(const struct context *context, struct document *intent,
                           const struct document *method, const struct decline *decline)
{
    struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    charge_begin(context, intent, method, &charge);
    charge_fail(&charge, decline);
    event_save(context, &charge, "charge.failed");
    json_add_str(intent->json, "latest_charge", json_get_str(charge.json, "id"));
    struct refusal refusal = decline_refusal(decline);
    refusal.charge = json_get_str(charge.json, "id");
    refusal.payment_method = method->json;
    fail(context, intent, &refusal);
}

// After a charge a method cannot be used again, unless it is attached to a customer or the intent says that
// it will be used again. A method that was detached during authentication can never be attached again.
static void keep_or_use_up(const struct context *context, const struct document *intent,
                           struct document *method)
{
    const char *future = json_get_str(intent->json, "setup_future_usage");
    const char *customer_id = json_get_str(intent->json, "customer");
    bool attached = json_get_str(method->json, "customer") != NULL;
    bool detached = json_get_bool(method->hidden, "used_up", false);
    if (text_equal(future, "off_session")) {
        json_add_bool(method->hidden, "set_up", true);
    }
    if (!attached && future == NULL) {
        json_add_bool(method->hidden, "used_up", true);
    }
    document_save(method);
    if (!attached && !detached && future != NULL && customer_id != NULL) {
        saved_method_attach(context, method, customer_id);
    }
}

// The bank grants a charge: it is captured now, or only authorised.
static void grant_charge(const struct context *context, struct document *intent, struct document *method)
{
    bool manual = text_equal(json_get_str(intent->json, "capture_method"), "manual");
    int64_t amount = json_get_i64(intent->json, "amount", 0);
    struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    charge_begin(context, intent, method, &charge);
    charge_succeed(&charge, !manual);
    if (!manual) {
        transaction_for_charge(context, &charge, method);
    }
    event_save(context, &charge, "charge.succeeded");
    if (!manual) {
        dispute_expect(context, method, &charge);
    }
    keep_or_use_up(context, intent, method);
    json_add_str(intent->json, "latest_charge", json_get_str(charge.json, "id"));
    json_add(intent->json, "next_action", NULL);
    json_add_i64(intent->json, manual ? "amount_capturable" : "amount_received", amount);
    intent_set_status(intent, manual ? "requires_capture" : "succeeded");
    event_save(context, intent,
               manual ? "payment_intent.amount_capturable_updated" : "payment_intent.succeeded");
}

// Charges the method. Gives the decline, NULL if there was none.
static const struct decline *charge(const struct context *context, struct document *intent,
                                    struct document *method)
{
    const struct test_method *test = method_behaviour(method);
    if (method_has_expired(context, method)) {
        decline_charge(context, intent, method, &decline_expired_card);
        return &decline_expired_card;
    }
    switch (test->ending) {
    case ENDING_DECLINES:
        decline_charge(context, intent, method, test->decline);
        return test->decline;
    case ENDING_PROCESSES:
    case ENDING_PROCESSES_FAILS:
        json_add(intent->json, "next_action", NULL);
        intent_set_status(intent, "processing");
        event_save(context, intent, "payment_intent.processing");
        job_add_about(context, JOB_SETTLE, context->now_us + PROCESSING_US, json_get_str(intent->json, "id"));
        return NULL;
    case ENDING_SUCCEEDS:
    case ENDING_SERVER_ERROR:
        grant_charge(context, intent, method);
        return NULL;
    }
    return NULL;
}

void intent_settle(const struct context *context, const char *id)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(context, OBJECT_INTENT, id, &intent) || !intent_status_is(&intent, "processing")) {
        return;
    }
    REQUIRE(document_open(context, OBJECT_METHOD, json_get_str(intent.json, "payment_method"), &method));
    const struct test_method *test = method_behaviour(&method);
    if (test->ending == ENDING_PROCESSES_FAILS) {
        decline_charge(context, &intent, &method, test->decline);
    } else {
        grant_charge(context, &intent, &method);
    }
}

void intent_authenticated(const struct context *context, struct document *intent, bool passed)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    REQUIRE(intent_status_is(intent, "requires_action"));
    REQUIRE(document_open(context, OBJECT_METHOD, json_get_str(intent->json, "payment_method"), &method));
    if (passed) {
        json_add_bool(intent->hidden, "authenticated", true);
        (void)charge(context, intent, &method);
        return;
    }
    fail(context, intent,
         &(struct refusal){.code = "payment_intent_authentication_failure",
                           .message =
                               "The provided PaymentMethod has failed authentication. Provide another one to "
                               "try again.",
                           .payment_method = method.json});
}

// Whether the bank asks for 3-D Secure. *decline: how the charge is declined if nobody is there to
// authenticate, NULL if somebody is.
static bool needs_authentication(const struct document *method, const struct confirmation *confirmation,
                                 const struct decline **decline)
{
    *decline = confirmation->off_session                ? &decline_authentication_required
               : confirmation->error_on_requires_action ? &decline_authentication_not_handled
                                                        : NULL;
    switch (method_behaviour(method)->authentication) {
    case AUTHENTICATION_NONE:
        return false;
    case AUTHENTICATION_ALWAYS:
        return true;
    case AUTHENTICATION_ON_SESSION:
        return !confirmation->off_session;
    case AUTHENTICATION_UNTIL_SET_UP:
        return !confirmation->off_session || !json_get_bool(method->hidden, "set_up", false);
    }
    return false;
}

static bool check_attempt(struct call *call, const struct document *intent, const struct document *method,
                          const struct confirmation *confirmation)
{
    if (!intent_check_confirmation(call, intent, method, confirmation->return_url)) {
        return false;
    }
    if (confirmation->off_session && json_get(intent->json, "setup_future_usage") != NULL) {
        return call_refuse_as(call, 400, NULL, NULL,
                              "off_session cannot be given with setup_future_usage: a card is set up while "
                              "its holder is there to authenticate.");
    }
    if (text_equal(method_behaviour(method)->brand, "amex") &&
        json_get_i64(intent->json, "amount", 0) > AMEX_AMOUNT_MAX) {
        return call_refuse_as(call, 400, "amount_too_large", "amount",
                              "American Express takes amounts of at most 9 digits.");
    }
    return true;
}

void intent_attempt(struct call *call, struct document *intent, struct document *method)
{
    const struct confirmation confirmation = {
        .off_session = param_bool(&call->params, "off_session", false),
        .error_on_requires_action = param_bool(&call->params, "error_on_requires_action", false),
        .use_stripe_sdk = param_bool(&call->params, "use_stripe_sdk", false),
        .return_url = param_text(&call->params, "return_url"),
    };
    if (!check_attempt(call, intent, method, &confirmation)) {
        return;
    }
    call->began = true;
    json_add_str(intent->json, "payment_method", json_get_str(method->json, "id"));
    json_add(intent->json, "last_payment_error", NULL);
    json_object_object_del(intent->hidden, "authenticated");
    document_save(method);
    if (intent->object == NULL) {
        event_save(&call->context, intent, "payment_intent.created");
    }
    const struct decline *decline = NULL;
    if (!needs_authentication(method, &confirmation, &decline)) {
        decline = charge(&call->context, intent, method);
    } else if (decline != NULL) {
        decline_charge(&call->context, intent, method, decline);
    } else {
        intent_require_action(&call->context, intent, confirmation.return_url, confirmation.use_stripe_sdk);
        event_save(&call->context, intent, "payment_intent.requires_action");
    }
    intent_answer_attempt(call, intent, method, decline);
}
