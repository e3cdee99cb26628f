// Expansion of answers. Pure. See expand.h.
#include "sandbox/expand.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"

// Which members of which objects hold ids. A new kind of object adds its rows here.
static const struct expandable {
    const char *object;
    const char *name;
    enum object_kind kind;
} expandables[] = {
    {"payment_intent", "latest_charge", OBJECT_CHARGE},
    {"payment_intent", "payment_method", OBJECT_METHOD},
    {"payment_intent", "customer", OBJECT_CUSTOMER},
    {"charge", "payment_intent", OBJECT_INTENT},
    {"charge", "customer", OBJECT_CUSTOMER},
    {"payment_method", "customer", OBJECT_CUSTOMER},
    {"setup_intent", "customer", OBJECT_CUSTOMER},
    {"setup_intent", "latest_attempt", OBJECT_SETUP_ATTEMPT},
    {"setup_intent", "payment_method", OBJECT_METHOD},
    {"setup_attempt", "customer", OBJECT_CUSTOMER},
    {"setup_attempt", "payment_method", OBJECT_METHOD},
    {"setup_attempt", "setup_intent", OBJECT_SETUP_INTENT},
    {"dispute", "charge", OBJECT_CHARGE},
    {"dispute", "payment_intent", OBJECT_INTENT},
    {"refund", "charge", OBJECT_CHARGE},
    {"refund", "payment_intent", OBJECT_INTENT},
};

static const struct expandable *expandable_find(struct json_object *value, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(expandables); i++) {
        if (text_equal(expandables[i].object, json_get_str(value, "object")) &&
            text_equal(expandables[i].name, name)) {
            return &expandables[i];
        }
    }
    return NULL;
}

static bool expand_at(const struct moment *at, struct json_object *value, const char *path, int depth);

static bool expand_items(const struct moment *at, struct json_object *list, const char *path, int depth)
{
    struct json_object *items = json_get(list, "data");
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        if (!expand_at(at, json_object_array_get_idx(items, i), path, depth)) {
            return false;
        }
    }
    return true;
}

static bool expand_at(const struct moment *at, struct json_object *value, const char *path, int depth)
{
    if (depth == 0) {
        return false;
    }
    const char *dot = strchr(path, '.');
    const char *name = dot == NULL ? path : arena_strndup(at->arena, path, (size_t)(dot - path));
    if (text_equal(name, "data") && dot != NULL &&
        json_object_is_type(json_get(value, "data"), json_type_array)) {
        return expand_items(at, value, dot + 1, depth - 1);
    }
    const struct expandable *expandable = expandable_find(value, name);
    if (expandable == NULL) {
        return false;
    }
    struct document found DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (document_open(at, expandable->kind, json_get_str(value, name), &found)) {
        json_add(value, name, json_object_get(found.json));
    }
    struct json_object *inner = json_get(value, name);
    return dot == NULL || !json_object_is_type(inner, json_type_object) ||
           expand_at(at, inner, dot + 1, depth - 1);
}

bool expand(const struct moment *at, struct json_object *value, const char *path)
{
    return expand_at(at, value, path, EXPAND_DEPTH_MAX);
}
