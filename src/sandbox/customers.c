// /v1/customers. Pure. See customers.h.
#include "sandbox/customers.h"

#include "base/require.h"
#include "base/text.h"
#include "sandbox/customer_fields.h"
#include "sandbox/events.h"
#include "sandbox/ids.h"
#include "sandbox/lists.h"
#include "sandbox/saved_methods.h"

#define CUSTOMER_TAIL_CHARS 14
#define PREFIX_TAIL_CHARS 8

static bool is_deleted(struct json_object *customer)
{
    return json_get_bool(customer, "deleted", false);
}

static bool open_customer(struct call *call, struct document *customer)
{
    if (document_open(&call->context, OBJECT_CUSTOMER, call->id, customer) && !is_deleted(customer->json)) {
        return true;
    }
    call_refuse_missing(call, "customer", call->id);
    return false;
}

bool customer_check(const struct context *context, const char *id, struct refusal *refusal)
{
    struct document customer DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (id == NULL ||
        (document_open(context, OBJECT_CUSTOMER, id, &customer) && !is_deleted(customer.json))) {
        return true;
    }
    *refusal = (struct refusal){.status = 400,
                                .code = "resource_missing",
                                .param = "customer",
                                .message = arena_printf(context->arena, "No such customer: '%.100s'", id)};
    return false;
}

static struct json_object *invoice_settings(void)
{
    static const char *const empty[] = {"custom_fields", "default_payment_method", "footer",
                                        "rendering_options"};
    struct json_object *json = json_new_object();
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        json_add(json, empty[i], NULL);
    }
    return json;
}

static struct json_object *customer_json(const struct context *context)
{
    static const char *const empty[] = {"address", "currency", "default_source", "description", "email",
                                        "name",    "phone",    "shipping",       "test_clock"};
    struct random *random = context->sandbox->random;
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id_new(random, context->arena, "cus_", CUSTOMER_TAIL_CHARS));
    json_add_str(json, "object", "customer");
    json_add_i64(json, "balance", 0);
    json_add_i64(json, "created", context_seconds(context));
    json_add_bool(json, "delinquent", false);
    json_add_str(json, "invoice_prefix",
                 text_upper(context->arena, id_new(random, context->arena, "", PREFIX_TAIL_CHARS)));
    json_add(json, "invoice_settings", invoice_settings());
    json_add_bool(json, "livemode", context->account->livemode);
    json_add(json, "metadata", json_new_object());
    json_add_i64(json, "next_invoice_sequence", 1);
    json_add(json, "preferred_locales", json_object_new_array());
    json_add_str(json, "tax_exempt", "none");
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        json_add(json, empty[i], NULL);
    }
    return json;
}

void customer_create(struct call *call)
{
    struct document customer DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    const char *method_id = param_text(&call->params, "payment_method");
    document_begin(&call->context, OBJECT_CUSTOMER, customer_json(&call->context), &customer);
    const char *id = json_get_str(customer.json, "id");
    if (!customer_set_fields(call, &customer) ||
        (method_id != NULL && !saved_method_find(call, method_id, id, &method)) ||
        !customer_set_default_method(call, &customer, &method)) {
        return;
    }
    call->began = true;
    event_save(&call->context, &customer, "customer.created");
    if (method_id != NULL) {
        saved_method_attach(&call->context, &method, id);
    }
    call_answer_document(call, &customer);
}

void customer_retrieve(struct call *call)
{
    struct document customer DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(&call->context, OBJECT_CUSTOMER, call->id, &customer)) {
        call_refuse_missing(call, "customer", call->id);
        return;
    }
    call_answer_document(call, &customer);
}

void customer_update(struct call *call)
{
    struct document customer DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document no_method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!open_customer(call, &customer) || !customer_set_fields(call, &customer) ||
        !customer_set_default_method(call, &customer, &no_method)) {
        return;
    }
    call->began = true;
    event_save_changed(&call->context, &customer, "customer.updated");
    call_answer_document(call, &customer);
}

void customer_delete(struct call *call)
{
    struct document customer DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!open_customer(call, &customer)) {
        return;
    }
    saved_methods_forget(&call->context, call->id);
    // The event tells of the customer as it was.
    event_emit(&call->context, "customer.deleted", &customer);
    json_release(&customer.json);
    customer.json = json_new_object();
    json_add_str(customer.json, "id", call->id);
    json_add_str(customer.json, "object", "customer");
    json_add_bool(customer.json, "deleted", true);
    document_save(&customer);
    call_answer_document(call, &customer);
}

void customer_forget_method(const struct context *context, const char *customer_id, const char *method_id)
{
    struct document customer DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    REQUIRE(document_open(context, OBJECT_CUSTOMER, customer_id, &customer));
    struct json_object *settings = json_get(customer.json, "invoice_settings");
    if (text_equal(json_get_str(settings, "default_payment_method"), method_id)) {
        json_add(settings, "default_payment_method", NULL);
        event_save_changed(context, &customer, "customer.updated");
    }
}

static bool is_wanted(const void *wanted, struct json_object *customer)
{
    return !is_deleted(customer) && list_filters_fit(wanted, customer);
}

void customer_list(struct call *call)
{
    list_answer(call, OBJECT_CUSTOMER, is_wanted, call);
}

void customer_search(struct call *call)
{
    static const struct query_field fields[] = {
        {"created", QUERY_NUMBER}, {"email", QUERY_STRING}, {"metadata", QUERY_METADATA},
        {"name", QUERY_STRING},    {"phone", QUERY_STRING}, QUERY_FIELDS_END,
    };
    search_answer(call, OBJECT_CUSTOMER, fields);
}
