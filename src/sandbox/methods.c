// PaymentMethod objects. Pure. See methods.h.
#include "sandbox/methods.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "sandbox/events.h"
#include "sandbox/params.h"

#define EXPIRY_YEARS 3 // from the year a method is made in, so that no test card ever runs out

struct json_object *card_details_json(struct json_object *card)
{
    struct json_object *details = json_new_object();
    json_add(details, "card", card);
    json_add_str(details, "type", "card");
    return details;
}

struct json_object *billing_details_json(void)
{
    static const char *const rest[] = {"email", "name", "phone", "tax_id"};
    struct json_object *json = json_new_object();
    json_add(json, "address", address_json());
    json_add_nulls(json, rest, COUNT_OF(rest));
    return json;
}

static struct json_object *card_json(const struct context *context, const struct test_method *test)
{
    struct json_object *card = json_new_object();
    json_add_str(card, "brand", test->brand);
    struct json_object *checks = json_new_object();
    json_add(checks, "address_line1_check", NULL);
    json_add(checks, "address_postal_code_check", NULL);
    json_add_str(checks, "cvc_check", text_equal(test->id, "pm_card_cvcCheckFail") ? "fail" : "pass");
    json_add(card, "checks", checks);
    json_add_str(card, "country", "US");
    json_add_str(card, "display_brand", test->brand);
    json_add_i64(card, "exp_month", 12);
    json_add_i64(card, "exp_year", context_year(context) + EXPIRY_YEARS);
    // The same card has the same fingerprint in all accounts.
    json_add_str(card, "fingerprint",
                 arena_printf(context->arena, "Sandbox%s%.5s", test->last4, test->brand));
    json_add_str(card, "funding", test->funding);
    json_add(card, "generated_from", NULL);
    json_add_str(card, "last4", test->last4);
    struct json_object *networks = json_new_object();
    struct json_object *available = json_object_new_array();
    json_object_array_add(available, json_object_new_string(test->brand));
    json_add(networks, "available", available);
    json_add(networks, "preferred", NULL);
    json_add(card, "networks", networks);
    json_add_str(card, "regulated_status", "unregulated");
    struct json_object *usage = json_new_object();
    json_add_bool(usage, "supported", true);
    json_add(card, "three_d_secure_usage", usage);
    json_add(card, "wallet", NULL);
    return card;
}

static struct json_object *method_json(const struct context *context, const struct test_method *test)
{
    struct json_object *json = json_new_object();
    json_add_str(json, "id", id_new(context->sandbox->random, context->arena, "pm_1", ID_TAIL_CHARS));
    json_add_str(json, "object", "payment_method");
    json_add_str(json, "allow_redisplay", "unspecified");
    json_add(json, "billing_details", billing_details_json());
    json_add(json, "card", card_json(context, test));
    json_add_i64(json, "created", context_seconds(context));
    json_add(json, "customer", NULL);
    json_add(json, "customer_account", NULL);
    json_add_bool(json, "livemode", context->account->livemode);
    json_add(json, "metadata", json_new_object());
    json_add_str(json, "type", "card");
    return json;
}

bool method_resolve(const struct context *context, const char *id, struct document *method,
                    struct refusal *refusal)
{
    const struct test_method *test = test_method_find(id);
    if (test != NULL) {
        document_begin(context, OBJECT_METHOD, method_json(context, test), method);
        json_add_str(method->hidden, "test_method", test->id);
        return true;
    }
    if (!document_open(context, OBJECT_METHOD, id, method)) {
        *refusal =
            (struct refusal){.status = 400,
                             .code = "resource_missing",
                             .param = "payment_method",
                             .message = arena_printf(context->arena, "No such PaymentMethod: '%.100s'", id)};
        return false;
    }
    if (json_get_bool(method->hidden, "used_up", false)) {
        *refusal = (struct refusal){
            .status = 400,
            .message = "This PaymentMethod was previously used without being attached to a Customer, or was "
                       "detached from one, and may not be used again."};
        return false;
    }
    return true;
}

bool method_check_owner(const struct context *context, const struct document *method, const char *customer_id,
                        struct refusal *refusal)
{
    const char *owner = json_get_str(method->json, "customer");
    if (owner == NULL || text_equal(owner, customer_id)) {
        return true;
    }
    const char *id = json_get_str(method->json, "id");
    *refusal = (struct refusal){.status = 400, .param = "payment_method"};
    refusal->message =
        customer_id == NULL
            ? arena_printf(context->arena,
                           "The PaymentMethod %.100s is attached to a Customer: give that Customer in the "
                           "customer parameter.",
                           id)
            : arena_printf(context->arena,
                           "The customer does not have a payment method with the ID %.100s. The payment "
                           "method must be attached to the customer.",
                           id);
    return false;
}

const struct test_method *method_behaviour(const struct document *method)
{
    const struct test_method *test = test_method_find(json_get_str(method->hidden, "test_method"));
    REQUIRE(test != NULL);
    return test;
}

bool method_has_expired(const struct context *context, const struct document *method)
{
    struct json_object *card = json_get(method->json, "card");
    const char *until =
        arena_printf(context->arena, "%04lld-%02lld", (long long)json_get_i64(card, "exp_year", 0),
                     (long long)json_get_i64(card, "exp_month", 0));
    char now[TIME_TEXT_BYTES];
    time_format(context->now_us, now);
    return strncmp(until, now, strlen("2000-01")) < 0;
}

struct refusal decline_refusal(const struct decline *decline)
{
    return (struct refusal){.status = 402,
                            .type = "card_error",
                            .code = decline->code,
                            .decline_code = decline->decline_code,
                            .advice_code = decline->advice_code,
                            .message = decline->message};
}

const struct decline *method_decline(const struct context *context, const struct document *method)
{
    const struct test_method *test = method_behaviour(method);
    if (method_has_expired(context, method)) {
        return &decline_expired_card;
    }
    return test->ending == ENDING_DECLINES && !test->sets_up ? test->decline : NULL;
}

void saved_method_attach(const struct context *context, struct document *method, const char *customer_id)
{
    json_add_str(method->json, "customer", customer_id);
    event_save(context, method, "payment_method.attached");
}

bool saved_method_find(struct call *call, const char *id, const char *customer_id, struct document *method)
{
    struct refusal refusal;
    if (!method_resolve(&call->context, id, method, &refusal)) {
        return call_refuse(call, &refusal);
    }
    const char *owner = json_get_str(method->json, "customer");
    if (owner != NULL && !text_equal(owner, customer_id)) {
        return call_refuse_as(call, 400, NULL, NULL,
                              "The payment method you provided has already been attached to a customer.");
    }
    // Attaching a card does not involve its holder, so what the bank says after authentication is not known
    // yet.
    const bool asks_bank = method_behaviour(method)->authentication == AUTHENTICATION_NONE;
    const struct decline *decline = asks_bank ? method_decline(&call->context, method) : NULL;
    if (decline != NULL) {
        call->began = true;
        refusal = decline_refusal(decline);
        call_refuse(call, &refusal);
    }
    return decline == NULL;
}

void saved_method_detach(struct document *method)
{
    json_add(method->json, "customer", NULL);
    json_add_bool(method->hidden, "used_up", true);
    document_save(method);
}

void saved_methods_forget(const struct context *context, const char *customer_id)
{
    LIST_EACH_SAFE(&context->account->sets[OBJECT_METHOD].in_order, link, after)
    {
        const struct object *object = CONTAINER_OF(link, struct object, link);
        struct document method DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
        // Most belong to other customers: only those whose text contains the id are parsed.
        if (strstr(object->text, customer_id) != NULL &&
            document_open(context, OBJECT_METHOD, object->id, &method) &&
            text_equal(json_get_str(method.json, "customer"), customer_id)) {
            saved_method_detach(&method);
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
