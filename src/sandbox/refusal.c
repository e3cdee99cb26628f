// Stripe's error object. Pure. See refusal.h.
#include "sandbox/refusal.h"

#include <string.h>

#include "base/text.h"

static void add_if_set(struct json_object *json, const char *name, const char *text)
{
    if (text != NULL) {
        json_add_str(json, name, text);
    }
}

struct json_object *refusal_json(const struct refusal *refusal)
{
    struct json_object *json = json_new_object();
    add_if_set(json, "advice_code", refusal->advice_code);
    add_if_set(json, "charge", refusal->charge);
    add_if_set(json, "code", refusal->code);
    add_if_set(json, "decline_code", refusal->decline_code);
    if (refusal->code != NULL) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        char *page = arena_strdup(&arena, refusal->code);
        for (char *at = strchr(page, '_'); at != NULL; at = strchr(at, '_')) {
            *at = '-';
        }
        json_add_str(json, "doc_url", arena_printf(&arena, "https://stripe.com/docs/error-codes/%s", page));
    }
    add_if_set(json, "message", refusal->message);
    add_if_set(json, "param", refusal->param);
    if (refusal->payment_intent != NULL) {
        json_add(json, "payment_intent", json_object_get(refusal->payment_intent));
    }
    if (refusal->payment_method != NULL) {
        json_add(json, "payment_method", json_object_get(refusal->payment_method));
    }
    add_if_set(json, "request_log_url", refusal->request_log_url);
    if (refusal->setup_intent != NULL) {
        json_add(json, "setup_intent", json_object_get(refusal->setup_intent));
    }
    json_add_str(json, "type", refusal->type == NULL ? "invalid_request_error" : refusal->type);
    return json;
}
