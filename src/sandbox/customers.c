// /v1/customers. Pure. See customers.h.
#include "sandbox/customers.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/events.h"
#include "sandbox/lists.h"
#include "sandbox/methods.h"
#include "sandbox/params.h"

#define DEFAULT_METHOD "invoice_settings[default_payment_method]"
#define FOOTER "invoice_settings[footer]"

#define CUSTOMER_PARAMS                                                                                      \
    {.name = "description", .type = PARAM_TEXT, .unsettable = true},                                         \
        {.name = "email", .type = PARAM_TEXT, .chars_max = EMAIL_CHARS_MAX, .unsettable = true},             \
        {.name = "name", .type = PARAM_TEXT, .chars_max = NAME_CHARS_MAX, .unsettable = true},               \
        {.name = "phone", .type = PARAM_TEXT, .chars_max = PHONE_CHARS_MAX, .unsettable = true},             \
        {.name = DEFAULT_METHOD, .type = PARAM_TEXT, .unsettable = true},                                    \
        {.name = FOOTER, .type = PARAM_TEXT, .unsettable = true}, ADDRESS_PARAMS("address"), METADATA,       \
        EXPAND, PARAMS_END

const struct param customer_create_params[] = {
    {.name = "payment_method", .type = PARAM_TEXT},
    CUSTOMER_PARAMS,
};
const struct param customer_update_params[] = {CUSTOMER_PARAMS};

static bool is_email(const char *text)
{
    const char *sign = strchr(text, '@');
    return sign != NULL && sign != text && sign[1] != '\0' && strpbrk(text, " \t\r\n") == NULL;
}

// method: what the creation attaches, empty for none; it may be named here by the id that the creation gives.
// False: refused.
static bool set_default_method(struct call *call, struct document *customer, const struct document *method)
{
    struct document found DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    const char *wanted = param_text(&call->params, DEFAULT_METHOD);
    const char *id = wanted;
    if (wanted == NULL) {
        return true;
    }
    if (wanted[0] == '\0') {
        id = NULL;
    } else if (method->json != NULL && text_equal(wanted, param_text(&call->params, "payment_method"))) {
        id = json_get_str(method->json, "id");
    } else if (!document_open(&call->context, OBJECT_METHOD, wanted, &found) ||
               !text_equal(json_get_str(found.json, "customer"), json_get_str(customer->json, "id"))) {
        return call_refuse_as(
            call, 400, "resource_missing", DEFAULT_METHOD,
            arena_printf(call->context.arena,
                         "The customer does not have a payment method with the ID %.100s. The payment "
                         "method must be attached to the customer.",
                         wanted));
    }
    json_add_str(json_get(customer->json, "invoice_settings"), "default_payment_method", id);
    return true;
}

// Applies the call's parameters. False: refused.
static bool set_fields(struct call *call, struct document *customer)
{
    static const char *const texts[] = {"description", "email", "name", "phone"};
    const char *email = param_text(&call->params, "email");
    if (email != NULL && email[0] != '\0' && !is_email(email)) {
        return call_refuse_as(call, 400, "email_invalid", "email",
                              arena_printf(call->context.arena, "Invalid email address: %.100s", email));
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        param_set_text(&call->params, texts[i], customer->json, texts[i]);
    }
    param_set_text(&call->params, FOOTER, json_get(customer->json, "invoice_settings"), "footer");
    param_address(&call->params, "address", customer->json);
    return call_set_metadata(call, json_get(customer->json, "metadata"));
}

#define CUSTOMER_TAIL_CHARS 14
#define PREFIX_TAIL_CHARS 8

static bool is_deleted(struct json_object *customer)
{
    return json_get_bool(customer, "deleted", false);
}

static bool open_customer(struct call *call, struct document *customer)
{
    return (document_open(&call->context, OBJECT_CUSTOMER, call->id, customer) &&
            !is_deleted(customer->json)) ||
           call_refuse_missing(call, OBJECT_CUSTOMER, call->id);
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

bool customer_check_given(struct call *call)
{
    struct refusal refusal;
    return customer_check(&call->context, param_text(&call->params, "customer"), &refusal) ||
           call_refuse(call, &refusal);
}

static struct json_object *customer_json(const struct context *context)
{
    static const char *const empty[] = {"address", "currency", "default_source", "description", "email",
                                        "name",    "phone",    "shipping",       "test_clock"};
    static const char *const empty_settings[] = {"custom_fields", "default_payment_method", "footer",
                                                 "rendering_options"};
    struct random *random = context->sandbox->random;
    struct json_object *settings = json_new_object();
    json_add_nulls(settings, empty_settings, COUNT_OF(empty_settings));
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id_new(random, context->arena, "cus_", CUSTOMER_TAIL_CHARS));
    json_add_str(json, "object", "customer");
    json_add_i64(json, "balance", 0);
    json_add_i64(json, "created", context_seconds(context));
    json_add_bool(json, "delinquent", false);
    json_add_str(json, "invoice_prefix",
                 text_upper(context->arena, id_new(random, context->arena, "", PREFIX_TAIL_CHARS)));
    json_add(json, "invoice_settings", settings);
    json_add_bool(json, "livemode", context->account->livemode);
    json_add(json, "metadata", json_new_object());
    json_add_i64(json, "next_invoice_sequence", 1);
    json_add(json, "preferred_locales", json_object_new_array());
    json_add_str(json, "tax_exempt", "none");
    json_add_nulls(json, empty, COUNT_OF(empty));
    return json;
}

void customer_create(struct call *call)
{
    struct document customer DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    const char *method_id = param_text(&call->params, "payment_method");
    document_begin(&call->context, OBJECT_CUSTOMER, customer_json(&call->context), &customer);
    const char *id = json_get_str(customer.json, "id");
    if (!set_fields(call, &customer) ||
        (method_id != NULL && !saved_method_find(call, method_id, id, &method)) ||
        !set_default_method(call, &customer, &method)) {
        return;
    }
    call->began = true;
    event_save(&call->context, &customer, "customer.created");
    if (method_id != NULL) {
        saved_method_attach(&call->context, &method, id);
    }
    call_answer_document(call, &customer);
}

void customer_update(struct call *call)
{
    struct document customer DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    struct document no_method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!open_customer(call, &customer) || !set_fields(call, &customer) ||
        !set_default_method(call, &customer, &no_method)) {
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
    // The event shows the customer as it was.
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

static bool is_wanted(const void *wanted, const struct json_value *customer)
{
    return !json_read_bool(customer, "deleted", false) && list_filters_fit(wanted, customer);
}

void customer_list(struct call *call)
{
    list_answer(call, is_wanted, call);
}

void customer_search(struct call *call)
{
    static const struct query_field fields[] = {
        {"created", QUERY_NUMBER}, {"email", QUERY_STRING}, {"metadata", QUERY_METADATA},
        {"name", QUERY_STRING},    {"phone", QUERY_STRING}, QUERY_FIELDS_END,
    };
    search_answer(call, fields);
}
