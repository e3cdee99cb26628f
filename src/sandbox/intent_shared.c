// What PaymentIntents and SetupIntents share. Pure. See intent_shared.h.
#include "sandbox/intent_shared.h"

#include "base/require.h"
#include "base/text.h"
#include "sandbox/customers.h"
#include "sandbox/methods.h"

#define ACTION_KEY_CHARS 32
#define CLIENT_SECRET_TAIL_CHARS 25
#define METHOD_TYPES_MAX 20

bool intent_check_create(struct call *call)
{
    static const char *const with_confirm[] = {"off_session", "error_on_requires_action"};
    const char *types[1];
    if (param_texts(&call->params, "payment_method_types", types, 1) > 0 &&
        param_bool(&call->params, "automatic_payment_methods[enabled]", false)) {
        return call_refuse_as(
            call, 400, NULL, "payment_method_types",
            "payment_method_types cannot be given together with automatic_payment_methods.");
    }
    if (param_bool(&call->params, "confirm", false)) {
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(with_confirm); i++) {
        if (param_bool(&call->params, with_confirm[i], false)) {
            return call_refuse_as(call, 400, NULL, with_confirm[i],
                                  arena_printf(call->context.arena, "%s can only be given with confirm=true.",
                                               with_confirm[i]));
        }
    }
    return param_text(&call->params, "return_url") == NULL ||
           call_refuse_as(call, 400, NULL, "return_url", "return_url can only be given with confirm=true.");
}

// They are on if the call says so. Since 2023-08-16 they are on by default unless the call lists the types.
struct json_object *intent_automatic_methods(struct call *call)
{
    const char *types[1];
    bool by_default =
        call_since(call, "2023-08-16") && param_texts(&call->params, "payment_method_types", types, 1) == 0;
    if (!param_bool(&call->params, "automatic_payment_methods[enabled]", by_default)) {
        return NULL;
    }
    const char *redirects = param_text(&call->params, "automatic_payment_methods[allow_redirects]");
    struct json_object *json = json_new_object();
    json_add_str(json, "allow_redirects", redirects == NULL ? "always" : redirects);
    json_add_bool(json, "enabled", true);
    return json;
}

struct json_object *intent_card_options(const struct call *call)
{
    struct json_object *card = json_new_object();
    if (call->kind == OBJECT_INTENT) {
        json_add(card, "installments", NULL);
    }
    json_add(card, "mandate_options", NULL);
    json_add(card, "network", NULL);
    json_add_str(card, "request_three_d_secure", "automatic");
    struct json_object *options = json_new_object();
    json_add(options, "card", card);
    return options;
}

struct json_object *intent_method_types(struct call *call)
{
    struct json_object *types = param_texts_json(&call->params, "payment_method_types", METHOD_TYPES_MAX);
    if (json_object_array_length(types) == 0) {
        json_object_array_add(types, json_object_new_string("card"));
    }
    return types;
}

const char *intent_client_secret(const struct context *context, const char *id)
{
    return id_new(context->sandbox->random, context->arena, arena_printf(context->arena, "%s_secret_", id),
                  CLIENT_SECRET_TAIL_CHARS);
}

static bool find_method(struct call *call, const struct document *intent, const char *id,
                        struct document *method)
{
    struct refusal refusal;
    return (method_resolve(&call->context, id, method, &refusal) &&
            method_check_owner(&call->context, method, json_get_str(intent->json, "customer"), &refusal)) ||
           call_refuse(call, &refusal);
}

bool intent_set_method(struct call *call, struct document *intent, struct document *method)
{
    const char *id = param_text(&call->params, "payment_method");
    if (id == NULL) {
        return true;
    }
    if (!find_method(call, intent, id, method)) {
        return false;
    }
    json_add_str(intent->json, "payment_method", json_get_str(method->json, "id"));
    intent_set_status(intent, "requires_confirmation");
    return true;
}

bool intent_begin(struct call *call, struct json_object *json, struct document *intent,
                  struct document *method)
{
    document_begin(&call->context, call->kind, json, intent);
    return call_set_metadata(call, json_get(json, "metadata")) && customer_check_given(call) &&
           intent_set_method(call, intent, method);
}

bool intent_choose_method(struct call *call, const struct document *intent, struct document *method)
{
    const char *wanted = param_text(&call->params, "payment_method");
    const char *id = wanted != NULL ? wanted : json_get_str(intent->json, "payment_method");
    return id == NULL || find_method(call, intent, id, method);
}

bool intent_set_customer(struct call *call, struct document *intent)
{
    struct refusal refusal = {
        .status = 400, .param = "customer", .message = "The customer of an intent cannot be changed."};
    const char *wanted = param_text(&call->params, "customer");
    const char *present = json_get_str(intent->json, "customer");
    if (wanted == NULL || text_equal(wanted, present)) {
        return true;
    }
    if (present != NULL || !customer_check(&call->context, wanted, &refusal)) {
        return call_refuse(call, &refusal);
    }
    json_add_str(intent->json, "customer", wanted);
    return true;
}

bool intent_status_is(const struct document *intent, const char *status)
{
    return text_equal(json_get_str(intent->json, "status"), status);
}

static bool status_is_one_of(const struct document *intent, const char *const *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (intent_status_is(intent, statuses[i])) {
            return true;
        }
    }
    return false;
}

void intent_set_status(struct document *intent, const char *status)
{
    json_add_str(intent->json, "status", status);
}

static const char *unexpected_state(const struct document *intent)
{
    return intent->kind == OBJECT_SETUP_INTENT ? "setup_intent_unexpected_state"
                                               : "payment_intent_unexpected_state";
}

void intent_refuse_state(struct call *call, const struct document *intent, const char *verb)
{
    bool setup = intent->kind == OBJECT_SETUP_INTENT;
    call->began = true;
    call_refuse(call, &(struct refusal){
                          .status = 400,
                          .code = unexpected_state(intent),
                          .payment_intent = setup ? NULL : intent->json,
                          .setup_intent = setup ? intent->json : NULL,
                          .message = arena_printf(call->context.arena,
                                                  "This %s could not be %s because it has a status of %s.",
                                                  setup ? "SetupIntent" : "PaymentIntent", verb,
                                                  json_get_str(intent->json, "status"))});
}

bool intent_check_open(struct call *call, const struct document *intent, const char *const *params,
                       size_t count)
{
    static const char *const open[] = {"requires_payment_method", "requires_confirmation"};
    for (size_t i = 0; i < count; i++) {
        if (param_text(&call->params, params[i]) != NULL && !status_is_one_of(intent, open, COUNT_OF(open))) {
            intent_refuse_state(call, intent, "updated");
            return false;
        }
    }
    return true;
}

bool intent_check_confirmable(struct call *call, const struct document *intent, const char *verb)
{
    static const char *const from[] = {"requires_payment_method", "requires_confirmation", "requires_action"};
    if (status_is_one_of(intent, from, COUNT_OF(from))) {
        return true;
    }
    intent_refuse_state(call, intent, verb);
    return false;
}

bool intent_check_confirmation(struct call *call, const struct document *intent,
                               const struct document *method, const char *return_url)
{
    struct refusal refusal = {.status = 400};
    struct json_object *automatic = json_get(intent->json, "automatic_payment_methods");
    if (method->json == NULL) {
        refusal.code = unexpected_state(intent);
        refusal.message =
            "This intent cannot be confirmed because it has no payment method: give one with this "
            "call, or update it first.";
    } else if (automatic != NULL && text_equal(json_get_str(automatic, "allow_redirects"), "always") &&
               return_url == NULL) {
        refusal.message =
            "A return_url must be given, because this intent accepts the payment methods enabled "
            "in the Dashboard, some of which redirect the payer. To do without, set "
            "automatic_payment_methods[allow_redirects] to never.";
    }
    if (refusal.message != NULL) {
        call_refuse(call, &refusal);
    }
    return refusal.message == NULL;
}

void intent_require_action(const struct context *context, struct document *intent, const char *return_url,
                           bool use_stripe_sdk)
{
    const char *key = id_new(context->sandbox->random, context->arena, "", ACTION_KEY_CHARS);
    const char *url = arena_printf(context->arena, "%s/_sandbox/authenticate/%s/%s?key=%s", context->base_url,
                                   context->account->id, json_get_str(intent->json, "id"), key);
    struct json_object *action = json_new_object();
    struct json_object *details = json_new_object();
    bool redirect = !use_stripe_sdk && return_url != NULL;
    if (redirect) {
        json_add(action, "redirect_to_url", details);
        json_add_str(details, "return_url", return_url);
        json_add_str(details, "url", url);
    } else {
        json_add(action, "use_stripe_sdk", details);
        json_add_str(details, "source",
                     id_new(context->sandbox->random, context->arena, "src_1", ID_TAIL_CHARS));
        json_add_str(details, "stripe_js", url);
        json_add_str(details, "type", "three_d_secure_redirect");
    }
    json_add_str(action, "type", redirect ? "redirect_to_url" : "use_stripe_sdk");
    json_add(intent->json, "next_action", action);
    json_add_str(intent->hidden, "action_key", key);
    json_add_str(intent->hidden, "return_url", return_url);
    intent_set_status(intent, "requires_action");
}

// With a publishable key the client secret is required. With a secret key it is optional, but must be right.
static bool check_client_secret(struct call *call, const struct document *intent)
{
    const char *secret = param_text(&call->params, "client_secret");
    struct refusal refusal = {.status = 400, .param = "client_secret"};
    if (secret == NULL && call->publishable) {
        refusal.code = "parameter_missing";
        refusal.message = "Missing required param: client_secret.";
    } else if (secret != NULL && !text_equal(secret, json_get_str(intent->json, "client_secret"))) {
        const char *object = json_get_str(intent->json, "object");
        refusal.code = arena_printf(call->context.arena, "%s_invalid_parameter", object);
        refusal.message =
            arena_printf(call->context.arena,
                         "The client_secret provided does not match the client_secret of this %s.", object);
    }
    if (refusal.message != NULL) {
        call_refuse(call, &refusal);
    }
    return refusal.message == NULL;
}

// The members of either kind that a publishable key may see.
static struct json_object *public_part(const struct document *intent)
{
    static const char *const names[] = {"id",
                                        "object",
                                        "amount",
                                        "amount_details",
                                        "automatic_payment_methods",
                                        "canceled_at",
                                        "cancellation_reason",
                                        "capture_method",
                                        "client_secret",
                                        "confirmation_method",
                                        "created",
                                        "currency",
                                        "description",
                                        "last_payment_error",
                                        "last_setup_error",
                                        "livemode",
                                        "next_action",
                                        "payment_method",
                                        "payment_method_configuration_details",
                                        "payment_method_types",
                                        "processing",
                                        "receipt_email",
                                        "setup_future_usage",
                                        "shipping",
                                        "source",
                                        "status",
                                        "usage"};
    struct json_object *part = json_new_object();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct json_object *value = NULL;
        if (json_object_object_get_ex(intent->json, names[i], &value)) {
            json_add(part, names[i], json_object_get(value));
        }
    }
    return part;
}

void intent_retrieve(struct call *call)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!call_open(call, &intent) || !check_client_secret(call, &intent)) {
        return;
    }
    if (call->publishable) {
        call_answer(call, public_part(&intent));
    } else {
        call_answer_document(call, &intent);
    }
}

void intent_answer_attempt(struct call *call, const struct document *intent, const struct document *method,
                           const struct decline *decline)
{
    if (decline != NULL) {
        const bool setup = intent->kind == OBJECT_SETUP_INTENT;
        struct refusal refusal = decline_refusal(decline);
        refusal.charge = json_get_str(intent->json, "latest_charge");
        refusal.payment_intent = setup ? NULL : intent->json;
        refusal.setup_intent = setup ? intent->json : NULL;
        refusal.payment_method = method->json;
        call_refuse(call, &refusal);
    } else if (method_behaviour(method)->ending == ENDING_SERVER_ERROR) {
        call_refuse_executed(call);
    } else {
        call_answer_document(call, intent);
    }
}
