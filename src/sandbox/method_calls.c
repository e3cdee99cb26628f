// /v1/payment_methods. Pure. See method_calls.h.
#include "sandbox/method_calls.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/customers.h"
#include "sandbox/events.h"
#include "sandbox/lists.h"
#include "sandbox/methods.h"
#include "sandbox/params.h"

#define YEARS_AHEAD_MAX 50

#define METHOD_PARAMS                                                                                        \
    {.name = "allow_redisplay", .type = PARAM_CHOICE, .choices = "always|limited|unspecified"},              \
        {.name = "billing_details[email]", .type = PARAM_TEXT, .unsettable = true},                          \
        {.name = "billing_details[name]", .type = PARAM_TEXT, .unsettable = true},                           \
        {.name = "billing_details[phone]", .type = PARAM_TEXT, .unsettable = true},                          \
        {.name = "billing_details[tax_id]", .type = PARAM_TEXT, .unsettable = true},                         \
        {.name = "card[exp_month]", .type = PARAM_INTEGER},                                                  \
        {.name = "card[exp_year]", .type = PARAM_INTEGER}, ADDRESS_PARAMS("billing_details[address]"),       \
        METADATA, EXPAND, PARAMS_END

const struct param method_create_params[] = {
    {.name = "type", .type = PARAM_CHOICE, .choices = "card", .required = true},
    {.name = "card[token]", .type = PARAM_TEXT},
    {.name = "card[number]", .type = PARAM_TEXT},
    {.name = "card[cvc]", .type = PARAM_TEXT},
    METHOD_PARAMS,
};
const struct param method_update_params[] = {METHOD_PARAMS};

// Makes a method from a test token: tok_visa gives pm_card_visa. False: refused.
static bool make(struct call *call, struct document *method)
{
    const char *token = param_text(&call->params, "card[token]");
    if (param_text(&call->params, "card[number]") != NULL) {
        return call_refuse_as(
            call, 402, NULL, NULL,
            "Sending card numbers to the API is generally unsafe, and refused here. Use a test token, such "
            "as card[token]=tok_visa, or a test payment method, such as pm_card_visa.");
    }
    if (token == NULL) {
        return call_refuse_as(call, 400, "parameter_missing", "card", "Missing required param: card.");
    }
    const char *name = text_starts_with(token, "tok_")
                           ? arena_printf(call->context.arena, "pm_card_%.100s", token + strlen("tok_"))
                           : "";
    struct refusal refusal;
    if (test_method_find(name) == NULL) {
        return call_refuse_as(call, 400, "resource_missing", "card[token]",
                              arena_printf(call->context.arena, "No such token: '%.100s'", token));
    }
    REQUIRE(method_resolve(&call->context, name, method, &refusal));
    return true;
}

// Sets the month or the year of expiry, if the call gives it. False: refused.
static bool set_expiry(struct call *call, struct json_object *card, const char *name, int64_t min,
                       int64_t max)
{
    struct arena *arena = call->context.arena;
    int64_t present = json_get_i64(card, name, min);
    int64_t number = param_i64(&call->params, arena_printf(arena, "card[%s]", name), present);
    if (number != present && (number < min || number > max)) {
        const char *what = name + strlen("exp_");
        return call_refuse(
            call,
            &(struct refusal){.status = 402,
                              .type = "card_error",
                              .code = arena_printf(arena, "invalid_expiry_%s", what),
                              .param = name,
                              .message = arena_printf(arena, "Your card's expiration %s is invalid.", what)});
    }
    json_add_i64(card, name, number);
    return true;
}

static bool set_fields(struct call *call, struct document *method)
{
    static const char *const texts[] = {"email", "name", "phone", "tax_id"};
    const char *redisplay = param_text(&call->params, "allow_redisplay");
    if (!call_set_metadata(call, json_get(method->json, "metadata"))) {
        return false;
    }
    struct json_object *card = json_get(method->json, "card");
    int64_t year = context_year(&call->context);
    if (!set_expiry(call, card, "exp_month", 1, 12) ||
        !set_expiry(call, card, "exp_year", year, year + YEARS_AHEAD_MAX)) {
        return false;
    }
    struct json_object *billing = json_get(method->json, "billing_details");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        param_set_text(&call->params, arena_printf(call->context.arena, "billing_details[%s]", texts[i]),
                       billing, texts[i]);
    }
    param_address(&call->params, "billing_details[address]", billing);
    if (json_get(billing, "address") == NULL) {
        json_add(billing, "address", address_json());
    }
    if (redisplay != NULL) {
        json_add_str(method->json, "allow_redisplay", redisplay);
    }
    return true;
}

void method_create(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!make(call, &method) || !set_fields(call, &method)) {
        return;
    }
    call->began = true;
    document_save(&method);
    call_answer_document(call, &method);
}

void method_update(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &method)) {
        return;
    }
    if (json_get_str(method.json, "customer") == NULL) {
        call_refuse_as(call, 400, NULL, NULL,
                       "You must save this PaymentMethod to a customer before you can update it.");
        return;
    }
    if (!set_fields(call, &method)) {
        return;
    }
    call->began = true;
    event_save_changed(&call->context, &method, "payment_method.updated");
    call_answer_document(call, &method);
}

void method_attach(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    const char *customer_id = param_text(&call->params, "customer");
    if (test_method_find(call->id) == NULL &&
        object_find(call->context.account, OBJECT_METHOD, call->id) == NULL) {
        call_refuse_missing(call, OBJECT_METHOD, call->id);
        return;
    }
    if (!customer_check_given(call) || !saved_method_find(call, call->id, customer_id, &method)) {
        return;
    }
    call->began = true;
    if (json_get_str(method.json, "customer") == NULL) {
        saved_method_attach(&call->context, &method, customer_id);
    }
    call_answer_document(call, &method);
}

void method_detach(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &method)) {
        return;
    }
    const char *customer_id = json_get_str(method.json, "customer");
    if (customer_id == NULL) {
        call_refuse_as(
            call, 400, NULL, NULL,
            "The payment method you provided is not attached to a customer so detachment is impossible.");
        return;
    }
    call->began = true;
    struct json_object *previous = json_new_object();
    json_add_str(previous, "customer", customer_id);
    customer_forget_method(&call->context, customer_id, call->id);
    saved_method_detach(&method);
    event_emit_changed(&call->context, "payment_method.detached", &method, previous);
    call_answer_document(call, &method);
}

static bool is_attached(const void *wanted, const struct json_value *method)
{
    return json_read_member(method, "customer") != NULL && list_filters_fit(wanted, method);
}

void method_list(struct call *call)
{
    if (customer_check_given(call)) {
        list_answer(call, is_attached, call);
    }
}

void customer_method_list(struct call *call)
{
    struct refusal refusal;
    if (!customer_check(&call->context, call->id, &refusal)) {
        call_refuse_missing(call, OBJECT_CUSTOMER, call->id);
        return;
    }
    list_answer_owned(call, "customer");
}

void customer_method_retrieve(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(&call->context, OBJECT_METHOD, call->inner_id, &method) ||
        !text_equal(json_get_str(method.json, "customer"), call->id)) {
        call_refuse_missing(call, OBJECT_METHOD, call->inner_id);
        return;
    }
    call_answer_document(call, &method);
}
