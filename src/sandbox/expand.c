// Expansion of answers. Pure. See expand.h.
#include "sandbox/expand.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/list_walk.h"

// Which members of which objects hold ids. A member that may name objects of several kinds has several rows.
// Add the rows of a new kind of object here.
static const struct expandable {
    const char *object;
    const char *name; // "part.name": a member of an inner object
    enum object_kind kind;
    const char *owned_by; // not NULL: a list of the objects that name this one in that member
} expandables[] = {
    {"payment_intent", "latest_charge", OBJECT_CHARGE},
    {"payment_intent", "payment_method", OBJECT_METHOD},
    {"payment_intent", "customer", OBJECT_CUSTOMER},
    {"charge", "payment_intent", OBJECT_INTENT},
    {"charge", "customer", OBJECT_CUSTOMER},
    {"charge", "balance_transaction", OBJECT_TRANSACTION},
    {"charge", "refunds", OBJECT_REFUND, "charge"},
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
    {"refund", "balance_transaction", OBJECT_TRANSACTION},
    {"refund", "failure_balance_transaction", OBJECT_TRANSACTION},
    {"balance_transaction", "source", OBJECT_CHARGE},
    {"balance_transaction", "source", OBJECT_REFUND},
    {"balance_transaction", "source", OBJECT_DISPUTE},
};

// Whether the row is for the first part of the path.
static bool is_for(const struct expandable *row, struct json_object *value, const char *path)
{
    size_t bytes = strlen(row->name);
    return text_equal(row->object, json_get_str(value, "object")) && strncmp(row->name, path, bytes) == 0 &&
           (path[bytes] == '\0' || path[bytes] == '.');
}

// Replaces the id by the object, or adds the list.
static void put(const struct context *context, const struct expandable *row, struct json_object *value,
                struct json_object *holder, const char *member)
{
    struct document found DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (json_object_is_type(json_get(holder, member), json_type_object)) {
        return; // another path expanded it already
    }
    if (row->owned_by != NULL) {
        const char *id = json_get_str(value, "id");
        const char *url = arena_printf(context->arena, "/v1/%ss/%s/%s", row->object, id, member);
        json_add(value, member, list_newest_owned(context, row->kind, row->owned_by, id, url));
    } else if (document_open(context, row->kind, json_get_str(holder, member), &found)) {
        json_add(holder, member, json_object_get(found.json));
    }
}

static bool expand_at(const struct context *context, struct json_object *value, const char *path, int depth);

static bool expand_items(const struct context *context, struct json_object *list, const char *path, int depth)
{
    struct json_object *items = json_get(list, "data");
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        if (!expand_at(context, json_object_array_get_idx(items, i), path, depth)) {
            return false;
        }
    }
    return true;
}

static bool expand_at(const struct context *context, struct json_object *value, const char *path, int depth)
{
    if (depth == 0) {
        return false;
    }
    if (text_starts_with(path, "data.") && json_object_is_type(json_get(value, "data"), json_type_array)) {
        return expand_items(context, value, path + strlen("data."), depth - 1);
    }
    const struct expandable *known = NULL;
    struct json_object *inner = NULL;
    for (size_t i = 0; i < COUNT_OF(expandables); i++) {
        const struct expandable *row = &expandables[i];
        if (is_for(row, value, path)) {
            const char *dot = strchr(row->name, '.');
            const char *member = dot == NULL ? row->name : dot + 1;
            struct json_object *holder = value;
            if (dot != NULL) {
                holder = json_get(value, arena_strndup(context->arena, row->name, (size_t)(dot - row->name)));
            }
            put(context, row, value, holder, member);
            inner = json_get(holder, member);
            known = row;
        }
    }
    if (known == NULL) {
        return false;
    }
    const char *rest = path + strlen(known->name);
    return rest[0] == '\0' || !json_object_is_type(inner, json_type_object) ||
           expand_at(context, inner, rest + 1, depth - 1);
}

bool expand(const struct context *context, struct json_object *value, const char *path)
{
    return expand_at(context, value, path, EXPAND_DEPTH_MAX);
}
