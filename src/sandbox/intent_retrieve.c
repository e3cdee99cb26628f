// GET /v1/payment_intents/{id} and /v1/setup_intents/{id}. Pure. See intents.h and setup_intents.h.
// https://docs.stripe.com/api/payment_intents/retrieve
#include "base/require.h"
#include "base/text.h"
#include "sandbox/intents.h"
#include "sandbox/setup_intents.h"

// A publishable key needs the client secret. A secret key does not, but may not give a wrong one.
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

// The members that a publishable key may see, of those that either kind of intent has.
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

static void retrieve(struct call *call, enum object_kind kind)
{
    struct document intent DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!intent_open(call, kind, &intent) || !check_client_secret(call, &intent)) {
        return;
    }
    if (call->publishable) {
        call_answer(call, public_part(&intent));
    } else {
        call_answer_document(call, &intent);
    }
}

void intent_retrieve(struct call *call)
{
    retrieve(call, OBJECT_INTENT);
}

void setup_intent_retrieve(struct call *call)
{
    retrieve(call, OBJECT_SETUP_INTENT);
}
