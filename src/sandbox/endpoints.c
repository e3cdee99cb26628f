// /v1/webhook_endpoints. Pure. See endpoints.h. https://docs.stripe.com/api/webhook_endpoints
#include "sandbox/endpoints.h"

#include "base/require.h"
#include "base/text.h"
#include "sandbox/call.h"

#define SECRET_TAIL_CHARS 32
#define ENDPOINTS_MAX 16       // of one account, as at Stripe
#define ENABLED_EVENTS_MAX 100 // of one endpoint

static struct json_object *endpoint_json(struct call *call)
{
    const char *version = param_text(&call->params, "api_version");
    struct json_object *json = json_new_object();
    json_add_str(json, "id",
                 id_new(call->context.sandbox->random, call->context.arena, "we_1", ID_TAIL_CHARS));
    json_add_str(json, "object", "webhook_endpoint");
    json_add_str(json, "api_version", version);
    json_add(json, "application", NULL);
    json_add_i64(json, "created", context_seconds(&call->context));
    json_add_str(json, "description", param_text(&call->params, "description"));
    json_add(json, "enabled_events", param_texts_json(&call->params, "enabled_events", ENABLED_EVENTS_MAX));
    json_add_bool(json, "livemode", call->context.account->livemode);
    json_add(json, "metadata", json_new_object());
    json_add_str(json, "status", "enabled");
    json_add_str(json, "url", param_text(&call->params, "url"));
    return json;
}

// False: refused.
static bool check_url(struct call *call)
{
    const char *url = param_text(&call->params, "url");
    if (url == NULL || text_starts_with(url, "http://") || text_starts_with(url, "https://")) {
        return true;
    }
    return call_refuse_as(call, 400, "url_invalid", "url",
                          "Invalid URL: it must begin with http:// or https://");
}

void endpoint_create(struct call *call)
{
    if (!check_url(call)) {
        return;
    }
    if (call->context.account->sets[OBJECT_ENDPOINT].by_id.count >= ENDPOINTS_MAX) {
        call_refuse_as(call, 400, NULL, NULL, "You have reached the maximum of 16 webhook endpoints.");
        return;
    }
    struct document endpoint DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    document_begin(&call->context, OBJECT_ENDPOINT, endpoint_json(call), &endpoint);
    if (!call_set_metadata(call, json_get(endpoint.json, "metadata"))) {
        return;
    }
    const char *secret = param_text(&call->params, "secret");
    if (secret == NULL) {
        secret = id_new(call->context.sandbox->random, call->context.arena, "whsec_", SECRET_TAIL_CHARS);
    }
    call->began = true;
    json_add_str(endpoint.hidden, "secret", secret);
    document_save(&endpoint);
    // Only this answer shows the secret.
    json_add_str(endpoint.json, "secret", secret);
    call_answer_document(call, &endpoint);
}

void endpoint_update(struct call *call)
{
    struct document endpoint DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    const char *url = param_text(&call->params, "url");
    const char *event = NULL;
    if (!call_open(call, &endpoint) || !check_url(call) ||
        !call_set_metadata(call, json_get(endpoint.json, "metadata"))) {
        return;
    }
    call->began = true;
    if (url != NULL) {
        json_add_str(endpoint.json, "url", url);
    }
    param_set_text(&call->params, "description", endpoint.json, "description");
    if (param_texts(&call->params, "enabled_events", &event, 1) > 0) {
        json_add(endpoint.json, "enabled_events",
                 param_texts_json(&call->params, "enabled_events", ENABLED_EVENTS_MAX));
    }
    if (param_text(&call->params, "disabled") != NULL) {
        json_add_str(endpoint.json, "status",
                     param_bool(&call->params, "disabled", false) ? "disabled" : "enabled");
    }
    document_save(&endpoint);
    call_answer_document(call, &endpoint);
}

void endpoint_delete(struct call *call)
{
    struct object *endpoint = object_find(call->context.account, OBJECT_ENDPOINT, call->id);
    if (endpoint == NULL) {
        call_refuse_missing(call, OBJECT_ENDPOINT, call->id);
        return;
    }
    struct json_object *json = json_new_object();
    json_add_str(json, "id", call->id);
    json_add_str(json, "object", "webhook_endpoint");
    json_add_bool(json, "deleted", true);
    object_remove(call->context.sandbox, call->context.account, endpoint);
    call_answer(call, json);
}
