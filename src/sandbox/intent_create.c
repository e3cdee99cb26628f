// POST /v1/payment_intents. Pure. See intents.h. https://docs.stripe.com/api/payment_intents/create
#include "base/require.h"
#include "base/text.h"
#include "sandbox/amounts.h"
#include "sandbox/customers.h"
#include "sandbox/events.h"
#include "sandbox/ids.h"
#include "sandbox/intents.h"

static bool check_request(struct call *call)
{
    struct refusal refusal;
    if (!amount_check(param_i64(&call->params, "amount", 0), param_text(&call->params, "currency"),
                      call->context.arena, &refusal)) {
        call_refuse(call, &refusal);
        return false;
    }
    return intent_check_create(call);
}

static struct json_object *card_options(void)
{
    struct json_object *card = json_new_object();
    json_add(card, "installments", NULL);
    json_add(card, "mandate_options", NULL);
    json_add(card, "network", NULL);
    json_add_str(card, "request_three_d_secure", "automatic");
    struct json_object *options = json_new_object();
    json_add(options, "card", card);
    return options;
}

static struct json_object *amount_details(void)
{
    struct json_object *details = json_new_object();
    json_add(details, "tip", json_new_object());
    return details;
}

static struct json_object *intent_json(struct call *call)
{
    static const char *const empty[] = {
        "allowed_payment_method_types",
        "application",
        "application_fee_amount",
        "canceled_at",
        "cancellation_reason",
        "customer_account",
        "excluded_payment_method_types",
        "last_payment_error",
        "latest_charge",
        "managed_payments",
        "next_action",
        "on_behalf_of",
        "payment_method",
        "payment_method_configuration_details",
        "payment_record",
        "processing",
        "review",
        "shipping",
        "source",
        "statement_descriptor",
        "transfer_data",
        "transfer_group",
    };
    static const char *const texts[] = {"description", "receipt_email", "setup_future_usage",
                                        "statement_descriptor_suffix", "customer"};
    struct arena *arena = call->context.arena;
    const struct params *params = &call->params;
    const char *id = id_new(call->context.sandbox->random, arena, "pi_3", ID_TAIL_CHARS);
    const char *capture = param_text(params, "capture_method");
    const char *confirmation = param_text(params, "confirmation_method");
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id);
    json_add_str(json, "object", "payment_intent");
    json_add_i64(json, "amount", param_i64(params, "amount", 0));
    json_add_i64(json, "amount_capturable", 0);
    json_add(json, "amount_details", amount_details());
    json_add_i64(json, "amount_received", 0);
    json_add(json, "automatic_payment_methods", intent_automatic_methods(call));
    json_add_str(json, "capture_method",
                 capture != NULL                  ? capture
                 : call_since(call, "2024-04-10") ? "automatic_async"
                                                  : "automatic");
    json_add_str(json, "client_secret", intent_client_secret(&call->context, id));
    json_add_str(json, "confirmation_method", confirmation == NULL ? "automatic" : confirmation);
    json_add_i64(json, "created", context_seconds(&call->context));
    json_add_str(json, "currency", text_lower(arena, param_text(params, "currency")));
    json_add_bool(json, "livemode", call->context.account->livemode);
    json_add(json, "metadata", json_new_object());
    json_add(json, "payment_method_options", card_options());
    json_add(json, "payment_method_types", intent_method_types(call));
    json_add_str(json, "status", "requires_payment_method");
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        json_add(json, empty[i], NULL);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_add_str(json, texts[i], param_text(params, texts[i]));
    }
    return json;
}

void intent_create(struct call *call)
{
    if (!check_request(call)) {
        return;
    }
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct refusal refusal;
    const char *method_id = param_text(&call->params, "payment_method");
    document_begin(&call->context, OBJECT_INTENT, intent_json(call), &intent);
    if (!param_metadata(&call->params, json_get(intent.json, "metadata"), &refusal) ||
        !customer_check(&call->context, param_text(&call->params, "customer"), &refusal)) {
        call_refuse(call, &refusal);
        return;
    }
    if (method_id != NULL) {
        if (!intent_find_method(call, &intent, method_id, &method)) {
            return;
        }
        json_add_str(intent.json, "payment_method", json_get_str(method.json, "id"));
        intent_set_status(&intent, "requires_confirmation");
    }
    if (param_bool(&call->params, "confirm", false)) {
        intent_attempt(call, &intent, &method);
        return;
    }
    call->began = true;
    if (method_id != NULL) {
        document_save(&method);
    }
    document_save(&intent);
    event_emit(&call->context, "payment_intent.created", &intent);
    call_answer_document(call, &intent);
}
