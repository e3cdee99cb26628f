// Walks. Pure. See list_walk.h.
#include "sandbox/list_walk.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"

static struct object *walk_step(struct list_walk *walk)
{
    const struct list *head = &walk->account->sets[walk->kind].in_order;
    if (walk->next == head) {
        return NULL;
    }
    struct object *object = CONTAINER_OF(walk->next, struct object, link);
    walk->next = walk->forward ? walk->next->next : walk->next->prev;
    return object;
}

static bool is_taken(const struct list_walk *walk, const struct object *object)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const struct json_value *value = NULL;
    if (walk->mention != NULL && strstr(object->text, walk->mention) == NULL) {
        return false;
    }
    if (walk->takes == NULL) {
        return true;
    }
    REQUIRE(json_read(&arena, object->text, strlen(object->text), JSON_VALUES_MAX, &value, NULL) == OK);
    return walk->takes(walk->wanted, value);
}

// Keeps the text if it can: parsing and writing it was most of the cost of a page.
static struct json_object *item_of(const struct list_walk *walk, const struct object *object)
{
    struct json_object *json = NULL;
    if (walk->reads_members) {
        REQUIRE(json_parse(object->text, strlen(object->text), &json, NULL) == OK);
        return json;
    }
    json = json_new_object();
    json_object_set_serializer(json, json_object_userdata_to_json_string, object->text, NULL);
    return json;
}

// The next object that is taken; NULL at the end. The caller releases.
static struct json_object *walk_next(struct list_walk *walk)
{
    for (struct object *object = walk_step(walk); object != NULL; object = walk_step(walk)) {
        int64_t created_s = object->created_us / 1000000;
        if (created_s < walk->created.min || created_s > walk->created.max) {
            continue;
        }
        if (is_taken(walk, object)) {
            return item_of(walk, object);
        }
    }
    return NULL;
}

struct json_object *list_walk_collect(struct list_walk *walk, int64_t limit, bool *has_more)
{
    struct json_object *items = json_object_new_array();
    *has_more = false;
    for (struct json_object *json = walk_next(walk); json != NULL; json = walk_next(walk)) {
        if ((int64_t)json_object_array_length(items) == limit) {
            *has_more = true;
            json_release(&json);
            break;
        }
        json_object_array_add(items, json);
    }
    return items;
}

struct json_object *list_page(struct json_object *items, bool has_more, const char *url)
{
    struct json_object *page = json_new_object();
    json_add_str(page, "object", "list");
    json_add(page, "data", items);
    json_add_bool(page, "has_more", has_more);
    json_add_str(page, "url", url);
    return page;
}

bool list_is_owned(const void *wanted, const struct json_value *object)
{
    const struct list_ownership *ownership = wanted;
    return text_equal(json_read_str(object, ownership->member), ownership->owner_id);
}

struct json_object *list_newest_owned(const struct context *context, enum object_kind kind,
                                      const char *member, const char *owner_id, const char *url)
{
    const struct list_ownership ownership = {.member = member, .owner_id = owner_id};
    struct list_walk walk = {.account = context->account,
                             .kind = kind,
                             .takes = list_is_owned,
                             .wanted = &ownership,
                             .created = {.min = INT64_MIN, .max = INT64_MAX},
                             .mention = owner_id,
                             .reads_members = true,
                             .next = context->account->sets[kind].in_order.prev};
    bool has_more = false;
    struct json_object *items = list_walk_collect(&walk, LIST_LIMIT_DEFAULT, &has_more);
    return list_page(items, has_more, url);
}
