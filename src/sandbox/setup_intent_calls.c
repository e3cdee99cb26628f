// /v1/setup_intents. Pure. See setup_intent_calls.h. https://docs.stripe.com/api/setup_intents
#include "sandbox/setup_intent_calls.h"

#include "base/require.h"
#include "sandbox/events.h"
#include "sandbox/intent_shared.h"
#include "sandbox/setup_intent_moves.h"

static struct json_object *card_options(void)
{
    struct json_object *card = json_new_object();
    json_add(card, "mandate_options", NULL);
    json_add(card, "network", NULL);
    json_add_str(card, "request_three_d_secure", "automatic");
    struct json_object *options = json_new_object();
    json_add(options, "card", card);
    return options;
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
    json_add(json, "payment_method_options", card_options());
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
        setup_intent_attempt(call, &intent, &method);
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
        setup_intent_attempt(call, &intent, &method);
    }
}

void setup_intent_cancel(struct call *call)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &intent) || !intent_check_confirmable(call, &intent, "canceled")) {
        return;
    }
    call->began = true;
    setup_intent_abandon(&call->context, &intent, param_text(&call->params, "cancellation_reason"));
    call_answer_document(call, &intent);
}
