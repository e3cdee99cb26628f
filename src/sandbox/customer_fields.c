// A customer's fields. Pure. See customer_fields.h. https://docs.stripe.com/api/customers/create
#include "sandbox/customer_fields.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/address.h"
#include "sandbox/common_params.h"

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

static void set_text(const struct params *params, const char *param, struct json_object *json,
                     const char *member)
{
    const char *text = param_text(params, param);
    if (text != NULL) {
        json_add_str(json, member, text[0] == '\0' ? NULL : text);
    }
}

// The customer's method that the parameter names; NULL: refused. One that the creation attaches may have the
// name that the call gives it there.
static const char *find_default_method(struct call *call, const struct document *customer,
                                       const struct document *method, const char *wanted)
{
    struct document found DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (method->json != NULL && text_equal(wanted, param_text(&call->params, "payment_method"))) {
        return json_get_str(method->json, "id");
    }
    if (document_open(&call->context, OBJECT_METHOD, wanted, &found) &&
        text_equal(json_get_str(found.json, "customer"), json_get_str(customer->json, "id"))) {
        return wanted;
    }
    call_refuse(call, &(struct refusal){.status = 400,
                                        .code = "resource_missing",
                                        .param = DEFAULT_METHOD,
                                        .message = arena_printf(
                                            call->context.arena,
                                            "The customer does not have a payment method with the ID %.100s. "
                                            "The payment method must be attached to the customer.",
                                            wanted)});
    return NULL;
}

bool customer_set_default_method(struct call *call, struct document *customer, const struct document *method)
{
    const char *wanted = param_text(&call->params, DEFAULT_METHOD);
    if (wanted == NULL) {
        return true;
    }
    const char *id = wanted[0] == '\0' ? NULL : find_default_method(call, customer, method, wanted);
    json_add_str(json_get(customer->json, "invoice_settings"), "default_payment_method", id);
    return call->status == 0;
}

bool customer_set_fields(struct call *call, struct document *customer)
{
    static const char *const texts[] = {"description", "email", "name", "phone"};
    struct refusal refusal;
    const char *email = param_text(&call->params, "email");
    if (email != NULL && email[0] != '\0' && !is_email(email)) {
        call_refuse(call, &(struct refusal){.status = 400,
                                            .code = "email_invalid",
                                            .param = "email",
                                            .message = arena_printf(call->context.arena,
                                                                    "Invalid email address: %.100s", email)});
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        set_text(&call->params, texts[i], customer->json, texts[i]);
    }
    set_text(&call->params, FOOTER, json_get(customer->json, "invoice_settings"), "footer");
    address_apply(&call->params, "address", customer->json);
    if (!param_metadata(&call->params, json_get(customer->json, "metadata"), &refusal)) {
        call_refuse(call, &refusal);
        return false;
    }
    return true;
}
