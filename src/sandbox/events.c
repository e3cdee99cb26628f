// Events. Pure. See events.h.
#include "sandbox/events.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/call.h"
#include "sandbox/deliveries.h"
#include "sandbox/lists.h"

void event_emit_changed(const struct context *context, const char *type, const struct document *document,
                        struct json_object *previous)
{
    // The object as it was saved, as text: parsing and copying it would cost more than all the rest.
    struct json_object *object = json_new_object();
    json_object_set_serializer(object, json_object_userdata_to_json_string, document->object->text, NULL);
    struct json_object *data = json_new_object();
    json_add(data, "object", object);
    if (previous != NULL) {
        json_add(data, "previous_attributes", previous);
    }
    struct json_object *request = json_new_object();
    json_add_str(request, "id", context->request_id);
    json_add_str(request, "idempotency_key", context->idempotency_key);

    struct json_object *json = json_new_object();
    json_add_str(json, "id", id_new(context->sandbox->random, context->arena, "evt_3", ID_TAIL_CHARS));
    json_add_str(json, "object", "event");
    json_add_str(json, "api_version", VERSION_NEWEST);
    json_add_i64(json, "created", context_seconds(context));
    json_add(json, "data", data);
    json_add_bool(json, "livemode", context->account->livemode);
    json_add_i64(json, "pending_webhooks", deliveries_wanting(context, type));
    json_add(json, "request", request);
    json_add_str(json, "type", type);

    struct document event DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    document_begin(context, OBJECT_EVENT, json, &event);
    document_save(&event);
    // The oldest events go first, whether they are delivered or not.
    struct object_set *events = &context->account->sets[OBJECT_EVENT];
    while (events->by_id.count > EVENTS_MAX) {
        object_remove(context->sandbox, context->account,
                      CONTAINER_OF(events->in_order.next, struct object, link));
    }
    deliveries_begin(context, type, json_get_str(json, "id"));
}

void event_emit(const struct context *context, const char *type, const struct document *document)
{
    event_emit_changed(context, type, document, NULL);
}

void event_save(const struct context *context, struct document *document, const char *type)
{
    document_save(document);
    event_emit(context, type, document);
}

// The members that differ, with their values in `before`; a missing member counts as null. Nested objects are
// compared member by member.
static struct json_object *differences(struct json_object *before, struct json_object *after)
{
    struct json_object *found = json_new_object();
    json_object_object_foreach(before, name, was)
    {
        struct json_object *is = json_get(after, name);
        if (json_object_is_type(was, json_type_object) && json_object_is_type(is, json_type_object)) {
            struct json_object *inner JSON_CLEANUP = differences(was, is);
            if (json_object_object_length(inner) > 0) {
                json_add(found, name, json_object_get(inner));
            }
        } else if (!json_object_equal(was, is)) {
            json_add(found, name, json_object_get(was));
        }
    }
    json_object_object_foreach(after, new_name, value)
    {
        if (value != NULL && !json_object_object_get_ex(before, new_name, NULL)) {
            json_add(found, new_name, NULL);
        }
    }
    return found;
}

void event_save_changed(const struct context *context, struct document *document, const char *type)
{
    struct document before DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    REQUIRE(document_open(context, document->kind, document->object->id, &before));
    document_save(document);
    event_emit_changed(context, type, document, differences(before.json, document->json));
}

// "payment_intent.*" matches every type of that resource.
static bool type_matches(const char *wanted, const char *type)
{
    size_t bytes = strlen(wanted);
    bool wild = bytes > 0 && wanted[bytes - 1] == '*';
    return wild ? strncmp(wanted, type, bytes - 1) == 0 : text_equal(wanted, type);
}

static bool is_wanted(const void *wanted, const struct json_value *event)
{
    const struct call *call = wanted;
    const char *type = json_read_str(event, "type");
    const char *one = param_text(&call->params, "type");
    if (one != NULL && !type_matches(one, type)) {
        return false;
    }
    if (param_text(&call->params, "delivery_success") != NULL &&
        param_bool(&call->params, "delivery_success", true) !=
            (json_read_i64(event, "pending_webhooks", 0) == 0)) {
        return false;
    }
    const char *types[EVENT_TYPES_MAX];
    size_t count = param_texts(&call->params, "types", types, COUNT_OF(types));
    for (size_t i = 0; i < count; i++) {
        if (type_matches(types[i], type)) {
            return true;
        }
    }
    return count == 0;
}

void event_list(struct call *call)
{
    list_answer(call, is_wanted, call);
}
