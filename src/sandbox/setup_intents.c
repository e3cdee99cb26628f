// SetupIntents. Pure. See setup_intents.h. https://docs.stripe.com/api/setup_intents
// Invariant: every confirmation has a SetupAttempt, and the status of the latest follows the intent's.
#include "sandbox/setup_intents.h"

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/customers.h"
#include "sandbox/events.h"
#include "sandbox/intent_shared.h"
#include "sandbox/methods.h"
#include "sandbox/scheduled_jobs.h"

#define PROCESSING_US (2 * US_PER_S)

// https://docs.stripe.com/api/setup_attempts/object
static void begin_attempt(const struct context *context, struct document *intent)
{
    static const char *const empty[] = {"application", "customer_account", "flow_directions", "on_behalf_of",
                                        "setup_error"};
    static const char *const same[] = {"customer", "payment_method", "usage"};
    const char *id = id_new(context->sandbox->random, context->arena, "setatt_1", ID_TAIL_CHARS);
    struct json_object *card = json_new_object();
    json_add(card, "three_d_secure", NULL);
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id);
    json_add_str(json, "object", "setup_attempt");
    json_add_i64(json, "created", context_seconds(context));
    json_add_bool(json, "livemode", context->account->livemode);
    json_add(json, "payment_method_details", card_details_json(card));
    json_add_str(json, "setup_intent", json_get_str(intent->json, "id"));
    json_add_str(json, "status", "requires_confirmation");
    json_add_nulls(json, empty, COUNT_OF(empty));
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        json_add_str(json, same[i], json_get_str(intent->json, same[i]));
    }
    struct document attempt DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    document_begin(context, OBJECT_SETUP_ATTEMPT, json, &attempt);
    document_save(&attempt);
    json_add_str(intent->json, "latest_attempt", id);
}

// Sets the latest attempt's status. error: why it failed, NULL if it did not.
static void mark_attempt(const struct context *context, const struct document *intent, const char *status,
                         struct json_object *error)
{
    struct document attempt DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    REQUIRE(
        document_open(context, OBJECT_SETUP_ATTEMPT, json_get_str(intent->json, "latest_attempt"), &attempt));
    json_add_str(attempt.json, "status", status);
    json_add(attempt.json, "setup_error", json_object_get(error));
    document_save(&attempt);
}

// The attempt failed: the intent waits for another method.
static void fail(const struct context *context, struct document *intent, const struct refusal *reason)
{
    struct json_object *error = refusal_json(reason);
    mark_attempt(context, intent, "failed", error);
    json_add(intent->json, "last_setup_error", error);
    json_add(intent->json, "next_action", NULL);
    json_add(intent->json, "payment_method", NULL);
    intent_set_status(intent, "requires_payment_method");
    event_save(context, intent, "setup_intent.setup_failed");
}

static void decline_setup(const struct context *context, struct document *intent,
                          const struct document *method, const struct decline *decline)
{
    struct refusal refusal = decline_refusal(decline);
    refusal.payment_method = method->json;
    fail(context, intent, &refusal);
}

static void succeed(const struct context *context, struct document *intent, struct document *method)
{
    const char *customer_id = json_get_str(intent->json, "customer");
    if (text_equal(json_get_str(intent->json, "usage"), "off_session")) {
        json_add_bool(method->hidden, "set_up", true);
    }
    document_save(method);
    if (customer_id != NULL && json_get_str(method->json, "customer") == NULL) {
        saved_method_attach(context, method, customer_id);
    }
    mark_attempt(context, intent, "succeeded", NULL);
    json_add(intent->json, "next_action", NULL);
    intent_set_status(intent, "succeeded");
    event_save(context, intent, "setup_intent.succeeded");
}

// Asks the card's bank. Gives the decline, NULL if there was none.
static const struct decline *set_up(const struct context *context, struct document *intent,
                                    struct document *method)
{
    const enum ending ending = method_behaviour(method)->ending;
    const struct decline *decline = method_decline(context, method);
    if (decline != NULL) {
        decline_setup(context, intent, method, decline);
    } else if (ending == ENDING_PROCESSES || ending == ENDING_PROCESSES_FAILS) {
        mark_attempt(context, intent, "processing", NULL);
        json_add(intent->json, "next_action", NULL);
        intent_set_status(intent, "processing");
        document_save(intent); // Stripe has no event for this
        job_add_about(context, JOB_SETUP, context->now_us + PROCESSING_US, json_get_str(intent->json, "id"));
    } else {
        succeed(context, intent, method);
    }
    return decline;
}

// Opens the intent's method some time after the confirmation. False: the attempt failed, because the method
// was detached or attached to another customer, or the intent's customer was deleted.
static bool reopen_method(const struct context *context, struct document *intent, struct document *method)
{
    struct refusal refusal;
    const char *customer_id = json_get_str(intent->json, "customer");
    if (customer_check(context, customer_id, &refusal) &&
        method_resolve(context, json_get_str(intent->json, "payment_method"), method, &refusal) &&
        method_check_owner(context, method, customer_id, &refusal)) {
        return true;
    }
    fail(context, intent, &refusal);
    return false;
}

void setup_intent_settle(const struct context *context, const char *id)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(context, OBJECT_SETUP_INTENT, id, &intent) ||
        !intent_status_is(&intent, "processing")) {
        return;
    }
    if (!reopen_method(context, &intent, &method)) {
        return;
    }
    const struct test_method *test = method_behaviour(&method);
    if (test->ending == ENDING_PROCESSES_FAILS) {
        decline_setup(context, &intent, &method, test->decline);
    } else {
        succeed(context, &intent, &method);
    }
}

void setup_intent_authenticated(const struct context *context, struct document *intent, bool passed)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    REQUIRE(intent_status_is(intent, "requires_action"));
    if (!reopen_method(context, intent, &method)) {
        return;
    }
    if (passed) {
        (void)set_up(context, intent, &method);
        return;
    }
    fail(context, intent,
         &(struct refusal){.code = "setup_intent_authentication_failure",
                           .message = "The card was not set up because its holder failed authentication. "
                                      "Provide another payment method to try again.",
                           .payment_method = method.json});
}

// Confirms the intent with the method as the call's parameters say, or refuses; then answers the call.
static void confirm(struct call *call, struct document *intent, struct document *method)
{
    const char *return_url = param_text(&call->params, "return_url");
    if (!intent_check_confirmation(call, intent, method, return_url)) {
        return;
    }
    call->began = true;
    if (intent_status_is(intent, "requires_action")) {
        mark_attempt(&call->context, intent, "abandoned", NULL);
    }
    json_add_str(intent->json, "payment_method", json_get_str(method->json, "id"));
    json_add(intent->json, "last_setup_error", NULL);
    document_save(method);
    if (intent->object == NULL) {
        event_save(&call->context, intent, "setup_intent.created");
    }
    begin_attempt(&call->context, intent);
    const struct decline *decline = NULL;
    // The holder is there while a card is set up, so a bank that ever asks for 3-D Secure asks for it now.
    if (method_behaviour(method)->authentication == AUTHENTICATION_NONE) {
        decline = set_up(&call->context, intent, method);
    } else {
        mark_attempt(&call->context, intent, "requires_action", NULL);
        intent_require_action(&call->context, intent, return_url,
                              param_bool(&call->params, "use_stripe_sdk", false));
        event_save(&call->context, intent, "setup_intent.requires_action");
    }
    intent_answer_attempt(call, intent, method, decline);
}

// https://docs.stripe.com/api/setup_intents/object
static struct json_object *setup_intent_json(struct call *call)
{
    static const char *const empty[] = {
        "allowed_payment_method_types",
        "application",
        "cancellation_reason",
        "customer_account",
        "excluded_payment_method_types",
        "flow_directions",
        "last_setup_error",
        "latest_attempt",
        "managed_payments",
        "mandate",
        "next_action",
        "on_behalf_of",
        "payment_method",
        "payment_method_configuration_details",
        "single_use_mandate",
    };
    const char *id = id_new(call->context.sandbox->random, call->context.arena, "seti_1", ID_TAIL_CHARS);
    const char *usage = param_text(&call->params, "usage");
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id);
    json_add_str(json, "object", "setup_intent");
    json_add(json, "automatic_payment_methods", intent_automatic_methods(call));
    json_add_str(json, "client_secret", intent_client_secret(&call->context, id));
    json_add_i64(json, "created", context_seconds(&call->context));
    json_add_str(json, "customer", param_text(&call->params, "customer"));
    json_add_str(json, "description", param_text(&call->params, "description"));
    json_add_bool(json, "livemode", call->context.account->livemode);
    json_add(json, "metadata", json_new_object());
    json_add(json, "payment_method_options", intent_card_options(call));
    json_add(json, "payment_method_types", intent_method_types(call));
    json_add_str(json, "status", "requires_payment_method");
    json_add_str(json, "usage", usage == NULL ? "off_session" : usage);
    json_add_nulls(json, empty, COUNT_OF(empty));
    return json;
}

void setup_intent_create(struct call *call)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!intent_check_create(call) || !intent_begin(call, setup_intent_json(call), &intent, &method)) {
        return;
    }
    if (param_bool(&call->params, "confirm", false)) {
        confirm(call, &intent, &method);
        return;
    }
    call->began = true;
    if (method.json != NULL) {
        document_save(&method);
    }
    event_save(&call->context, &intent, "setup_intent.created");
    call_answer_document(call, &intent);
}

void setup_intent_update(struct call *call)
{
    static const char *const names[] = {"customer", "payment_method"};
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &intent) || !call_set_metadata(call, json_get(intent.json, "metadata")) ||
        !intent_check_open(call, &intent, names, COUNT_OF(names)) || !intent_set_customer(call, &intent) ||
        !intent_set_method(call, &intent, &method)) {
        return;
    }
    call->began = true;
    param_set_text(&call->params, "description", intent.json, "description");
    if (method.json != NULL) {
        document_save(&method);
    }
    document_save(&intent);
    call_answer_document(call, &intent);
}

void setup_intent_confirm(struct call *call)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (call_open(call, &intent) && intent_check_confirmable(call, &intent, "confirmed") &&
        intent_choose_method(call, &intent, &method)) {
        confirm(call, &intent, &method);
    }
}

void setup_intent_cancel(struct call *call)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &intent) || !intent_check_confirmable(call, &intent, "canceled")) {
        return;
    }
    call->began = true;
    if (intent_status_is(&intent, "requires_action")) {
        mark_attempt(&call->context, &intent, "abandoned", NULL);
    }
    json_add_str(intent.json, "cancellation_reason", param_text(&call->params, "cancellation_reason"));
    json_add(intent.json, "next_action", NULL);
    intent_set_status(&intent, "canceled");
    event_save(&call->context, &intent, "setup_intent.canceled");
    call_answer_document(call, &intent);
}
