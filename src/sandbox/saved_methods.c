// Saved PaymentMethods. Pure. See saved_methods.h.
#include "sandbox/saved_methods.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/customers.h"
#include "sandbox/events.h"
#include "sandbox/lists.h"
#include "sandbox/methods.h"

void saved_method_attach(const struct context *context, struct document *method, const char *customer_id)
{
    json_add_str(method->json, "customer", customer_id);
    event_save(context, method, "payment_method.attached");
}

// What the bank says to the card, NULL: it is good. Attaching does not ask for its holder, so what the bank
// says after authentication is not known yet.
static const struct decline *check_card(const struct context *context, const struct document *method)
{
    return method_behaviour(method)->authentication == AUTHENTICATION_NONE ? method_decline(context, method)
                                                                           : NULL;
}

bool saved_method_find(struct call *call, const char *id, const char *customer_id, struct document *method)
{
    struct refusal refusal;
    if (!method_resolve(&call->context, id, method, &refusal)) {
        call_refuse(call, &refusal);
        return false;
    }
    const char *owner = json_get_str(method->json, "customer");
    if (owner != NULL && !text_equal(owner, customer_id)) {
        call_refuse(call, &(struct refusal){.status = 400,
                                            .message = "The payment method you provided has already been "
                                                       "attached to a customer."});
        return false;
    }
    const struct decline *decline = check_card(&call->context, method);
    if (decline != NULL) {
        call->began = true;
        call_refuse(call, &(struct refusal){.status = 402,
                                            .type = "card_error",
                                            .code = decline->code,
                                            .decline_code = decline->decline_code,
                                            .advice_code = decline->advice_code,
                                            .message = decline->message});
    }
    return decline == NULL;
}

void method_attach(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct refusal refusal;
    const char *customer_id = param_text(&call->params, "customer");
    if (test_method_find(call->id) == NULL &&
        object_find(call->context.account, OBJECT_METHOD, call->id) == NULL) {
        call_refuse_missing(call, "PaymentMethod", call->id);
        return;
    }
    if (!customer_check(&call->context, customer_id, &refusal)) {
        call_refuse(call, &refusal);
        return;
    }
    if (!saved_method_find(call, call->id, customer_id, &method)) {
        return;
    }
    call->began = true;
    if (json_get_str(method.json, "customer") == NULL) {
        saved_method_attach(&call->context, &method, customer_id);
    }
    call_answer_document(call, &method);
}

// Saves it.
static void detach(struct document *method)
{
    json_add(method->json, "customer", NULL);
    json_add_bool(method->hidden, "used_up", true);
    document_save(method);
}

void method_detach(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(&call->context, OBJECT_METHOD, call->id, &method)) {
        call_refuse_missing(call, "PaymentMethod", call->id);
        return;
    }
    const char *customer_id = json_get_str(method.json, "customer");
    if (customer_id == NULL) {
        call_refuse(call, &(struct refusal){.status = 400,
                                            .message = "The payment method you provided is not attached to a "
                                                       "customer so detachment is impossible."});
        return;
    }
    call->began = true;
    struct json_object *previous = json_new_object();
    json_add_str(previous, "customer", customer_id);
    customer_forget_method(&call->context, customer_id, call->id);
    detach(&method);
    event_emit_changed(&call->context, "payment_method.detached", &method, previous);
    call_answer_document(call, &method);
}

void saved_methods_forget(const struct context *context, const char *customer_id)
{
    LIST_EACH_SAFE(&context->account->sets[OBJECT_METHOD].in_order, link, after)
    {
        const struct object *object = CONTAINER_OF(link, struct object, link);
        struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
        // Most belong to others: only those whose text has the id are parsed.
        if (strstr(object->text, customer_id) != NULL &&
            document_open(context, OBJECT_METHOD, object->id, &method) &&
            text_equal(json_get_str(method.json, "customer"), customer_id)) {
            detach(&method);
        }
    }
}

void saved_method_replace_card(const struct context *context, struct document *method,
                               struct json_object *wanted)
{
    static const char *const names[] = {"brand", "exp_month", "exp_year", "last4"};
    struct json_object *card = json_get(method->json, "card");
    struct json_object *before = json_new_object();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct json_object *value = json_get(wanted, names[i]);
        if (value != NULL) {
            json_add(before, names[i], json_object_get(json_get(card, names[i])));
            json_add(card, names[i], json_object_get(value));
        }
    }
    struct json_object *previous = json_new_object();
    json_add(previous, "card", before);
    document_save(method);
    event_emit_changed(context, "payment_method.automatically_updated", method, previous);
}

static bool is_attached(const void *wanted, struct json_object *method)
{
    return json_get(method, "customer") != NULL && list_filters_fit(wanted, method);
}

void method_list(struct call *call)
{
    struct refusal refusal;
    if (!customer_check(&call->context, param_text(&call->params, "customer"), &refusal)) {
        call_refuse(call, &refusal);
        return;
    }
    list_answer(call, OBJECT_METHOD, is_attached, call);
}

void customer_method_list(struct call *call)
{
    struct refusal refusal;
    if (!customer_check(&call->context, call->id, &refusal)) {
        call_refuse_missing(call, "customer", call->id);
        return;
    }
    list_answer_owned(call, OBJECT_METHOD, "customer");
}

void customer_method_retrieve(struct call *call)
{
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(&call->context, OBJECT_METHOD, call->inner_id, &method) ||
        !text_equal(json_get_str(method.json, "customer"), call->id)) {
        call_refuse_missing(call, "PaymentMethod", call->inner_id);
        return;
    }
    call_answer_document(call, &method);
}
