// Expansion of answers. Pure. See expand.h.
#include "sandbox/expand.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"

// Which members of which objects hold ids. A new kind of object adds its rows here.
static const struct expandable {
    const char *object;
    const char *name; // "part.name": of an object within it
    enum object_kind kind;
} expandables[] = {
    {"payment_intent", "latest_charge", OBJECT_CHARGE},
    {"payment_intent", "payment_method", OBJECT_METHOD},
    {"payment_intent", "customer", OBJECT_CUSTOMER},
    {"charge", "payment_intent", OBJECT_INTENT},
    {"charge", "customer", OBJECT_CUSTOMER},
    {"customer", "invoice_settings.default_payment_method", OBJECT_METHOD},
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

// The row for the beginning of the path.
static const struct expandable *expandable_find(struct json_object *value, const char *path)
{
    for (size_t i = 0; i < COUNT_OF(expandables); i++) {
        const struct expandable *row = &expandables[i];
        char end = text_starts_with(path, row->name) ? path[strlen(row->name)] : 'x';
        if ((end == '\0' || end == '.') && text_equal(row->object, json_get_str(value, "object"))) {
            return row;
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
    if (text_starts_with(path, "data.") && json_object_is_type(json_get(value, "data"), json_type_array)) {
        return expand_items(at, value, path + strlen("data."), depth - 1);
    }
    const struct expandable *row = expandable_find(value, path);
    if (row == NULL) {
        return false;
    }
    const char *dot = strchr(row->name, '.');
    const char *member = dot == NULL ? row->name : dot + 1;
    struct json_object *holder =
        dot == NULL ? value : json_get(value, arena_strndup(at->arena, row->name, (size_t)(dot - row->name)));
    struct document found DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (document_open(at, row->kind, json_get_str(holder, member), &found)) {
        json_add(holder, member, json_object_get(found.json));
    }
    struct json_object *inner = json_get(holder, member);
    const char *rest = path + strlen(row->name);
    return rest[0] == '\0' || !json_object_is_type(inner, json_type_object) ||
           expand_at(at, inner, rest + 1, depth - 1);
}

bool expand(const struct moment *at, struct json_object *value, const char *path)
{
    return expand_at(at, value, path, EXPAND_DEPTH_MAX);
}
