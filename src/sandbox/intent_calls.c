// /v1/payment_intents. Pure. See intent_calls.h.
#include "sandbox/intent_calls.h"

#include "base/require.h"
#include "base/text.h"
#include "sandbox/amounts.h"
#include "sandbox/charges.h"
#include "sandbox/disputes.h"
#include "sandbox/events.h"
#include "sandbox/intent_moves.h"
#include "sandbox/intent_shared.h"
#include "sandbox/lists.h"
#include "sandbox/refunds.h"
#include "sandbox/transactions.h"

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
    struct json_object *amount_details = json_new_object();
    json_add(amount_details, "tip", json_new_object());
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id);
    json_add_str(json, "object", "payment_intent");
    json_add_i64(json, "amount", param_i64(params, "amount", 0));
    json_add_i64(json, "amount_capturable", 0);
    json_add(json, "amount_details", amount_details);
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
    json_add(json, "payment_method_options", intent_card_options(call));
    json_add(json, "payment_method_types", intent_method_types(call));
    json_add_str(json, "status", "requires_payment_method");
    json_add_nulls(json, empty, COUNT_OF(empty));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_add_str(json, texts[i], param_text(params, texts[i]));
    }
    return json;
}

void intent_create(struct call *call)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct refusal refusal;
    if (!amount_check(param_i64(&call->params, "amount", 0), param_text(&call->params, "currency"),
                      call->context.arena, &refusal)) {
        call_refuse(call, &refusal);
        return;
    }
    if (!intent_check_create(call) || !intent_begin(call, intent_json(call), &intent, &method)) {
        return;
    }
    if (param_bool(&call->params, "confirm", false)) {
        intent_attempt(call, &intent, &method);
        return;
    }
    call->began = true;
    if (method.json != NULL) {
        document_save(&method);
    }
    event_save(&call->context, &intent, "payment_intent.created");
    call_answer_document(call, &intent);
}

// Stores the text parameters that need no check.
static void set_texts(struct call *call, struct document *intent)
{
    static const char *const names[] = {"description", "receipt_email", "setup_future_usage",
                                        "statement_descriptor_suffix", "capture_method"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        param_set_text(&call->params, names[i], intent->json, names[i]);
    }
}

void intent_update(struct call *call)
{
    static const char *const names[] = {"amount",         "currency",           "payment_method",
                                        "capture_method", "setup_future_usage", "customer"};
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &intent) || !call_set_metadata(call, json_get(intent.json, "metadata")) ||
        !intent_check_open(call, &intent, names, COUNT_OF(names)) || !intent_set_customer(call, &intent)) {
        return;
    }
    struct refusal refusal;
    const char *currency = param_text(&call->params, "currency");
    int64_t amount = param_i64(&call->params, "amount", json_get_i64(intent.json, "amount", 0));
    currency = currency == NULL ? json_get_str(intent.json, "currency") : currency;
    if (!amount_check(amount, currency, call->context.arena, &refusal)) {
        call_refuse(call, &refusal);
        return;
    }
    json_add_i64(intent.json, "amount", amount);
    json_add_str(intent.json, "currency", text_lower(call->context.arena, currency));
    if (!intent_set_method(call, &intent, &method)) {
        return;
    }
    call->began = true;
    set_texts(call, &intent);
    if (method.json != NULL) {
        document_save(&method);
    }
    document_save(&intent);
    call_answer_document(call, &intent);
}

void intent_confirm(struct call *call)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (call_open(call, &intent) && intent_check_confirmable(call, &intent, "confirmed") &&
        intent_choose_method(call, &intent, &method)) {
        set_texts(call, &intent);
        intent_attempt(call, &intent, &method);
    }
}

void intent_capture(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &intent)) {
        return;
    }
    if (!intent_status_is(&intent, "requires_capture") ||
        !document_open(&call->context, OBJECT_CHARGE, json_get_str(intent.json, "latest_charge"), &charge)) {
        intent_refuse_state(call, &intent, "captured");
        return;
    }
    const int64_t capturable = json_get_i64(intent.json, "amount_capturable", 0);
    const int64_t amount = param_i64(&call->params, "amount_to_capture", capturable);
    if (amount < 1 || amount > capturable) {
        call_refuse(call,
                    &(struct refusal){.status = 400,
                                      .code = amount < 1 ? "parameter_invalid_integer" : "amount_too_large",
                                      .param = "amount_to_capture",
                                      .payment_intent = intent.json,
                                      .message = arena_printf(call->context.arena,
                                                              "The amount to capture must be from 1 to %lld.",
                                                              (long long)capturable)});
        return;
    }
    REQUIRE(
        document_open(&call->context, OBJECT_METHOD, json_get_str(charge.json, "payment_method"), &method));
    call->began = true;
    charge_capture(&charge, amount);
    transaction_for_charge(&call->context, &charge, &method);
    document_save(&charge);
    json_add_i64(intent.json, "amount_capturable", 0);
    json_add_i64(intent.json, "amount_received", amount);
    intent_set_status(&intent, "succeeded");
    document_save(&intent);
    if (amount < capturable) {
        refund_release(&call->context, &charge, capturable - amount);
    }
    event_emit(&call->context, "charge.captured", &charge);
    event_emit(&call->context, "payment_intent.succeeded", &intent);
    dispute_expect(&call->context, &method, &charge);
    call_answer_document(call, &intent);
}

void intent_cancel(struct call *call)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document charge DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &intent) || (!intent_status_is(&intent, "requires_capture") &&
                                      !intent_check_confirmable(call, &intent, "canceled"))) {
        return;
    }
    call->began = true;
    if (intent_status_is(&intent, "requires_capture") &&
        document_open(&call->context, OBJECT_CHARGE, json_get_str(intent.json, "latest_charge"), &charge)) {
        refund_release(&call->context, &charge, charge_unrefunded(&charge));
    }
    json_add_i64(intent.json, "amount_capturable", 0);
    json_add_i64(intent.json, "canceled_at", context_seconds(&call->context));
    json_add_str(intent.json, "cancellation_reason", param_text(&call->params, "cancellation_reason"));
    json_add(intent.json, "next_action", NULL);
    intent_set_status(&intent, "canceled");
    document_save(&intent);
    event_emit(&call->context, "payment_intent.canceled", &intent);
    call_answer_document(call, &intent);
}

void intent_search(struct call *call)
{
    static const struct query_field fields[] = {
        {"amount", QUERY_NUMBER},  {"created", QUERY_NUMBER},    {"currency", QUERY_TOKEN},
        {"customer", QUERY_TOKEN}, {"metadata", QUERY_METADATA}, {"status", QUERY_TOKEN},
        QUERY_FIELDS_END,
    };
    search_answer(call, fields);
}
