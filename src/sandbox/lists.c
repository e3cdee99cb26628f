// Paging. Pure. See lists.h.
#include "sandbox/lists.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"

// A walk over an account's objects of one kind, newest to oldest or back.
struct walk {
    const struct account *account;
    enum object_kind kind;
    bool (*takes)(const void *wanted, struct json_object *json);
    const void *wanted;
    struct range created;
    const char *mention; // what stands in the text of all that fit; NULL: nothing that is known
    bool unread;         // nobody looks into the objects
    struct list *next;
    bool forward; // in time
};

static struct object *walk_step(struct walk *walk)
{
    const struct list *head = &walk->account->sets[walk->kind].in_order;
    if (walk->next == head) {
        return NULL;
    }
    struct object *object = CONTAINER_OF(walk->next, struct object, link);
    walk->next = walk->forward ? walk->next->next : walk->next->prev;
    return object;
}

static int write_text(struct json_object *json, struct printbuf *out, int level, int flags)
{
    (void)level;
    (void)flags;
    const char *text = json_object_get_userdata(json);
    return printbuf_memappend(out, text, (int)strlen(text));
}

// What is only shown is not parsed to be written again: of a page of payments that was most of the work.
static struct json_object *unread(const struct object *object)
{
    struct json_object *json = json_new_object();
    json_object_set_serializer(json, write_text, object->text, NULL);
    return json;
}

// The next object that fits; NULL at the end. The caller releases.
static struct json_object *walk_next(struct walk *walk)
{
    for (struct object *object = walk_step(walk); object != NULL; object = walk_step(walk)) {
        int64_t created_s = object->created_us / 1000000;
        if (created_s < walk->created.min || created_s > walk->created.max) {
            continue;
        }
        if (walk->mention != NULL && strstr(object->text, walk->mention) == NULL) {
            continue;
        }
        if (walk->unread) {
            return unread(object);
        }
        struct json_object *json = NULL;
        REQUIRE(json_parse(object->text, strlen(object->text), &json, NULL) == OK);
        if (walk->takes == NULL || walk->takes(walk->wanted, json)) {
            return json;
        }
        json_release(&json);
    }
    return NULL;
}

static const char *const filters[] = {"charge",         "currency",     "customer", "email", "payment_intent",
                                      "payment_method", "setup_intent", "source",   "type"};

static bool has_filter(const struct call *call)
{
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        if (param_text(&call->params, filters[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool list_filters_fit(const void *call, struct json_object *json)
{
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        const char *wanted = param_text(&((const struct call *)call)->params, filters[i]);
        if (wanted != NULL && !text_equal(wanted, json_get_str(json, filters[i]))) {
            return false;
        }
    }
    return true;
}

// The id that the call filters by, or that its path names. Whatever belongs to it holds it in its text, so
// that the rest need no parsing: a list of one payment's refunds does not cost more in an account that made a
// million.
static const char *wanted_id(const struct call *call)
{
    static const char *const ids[] = {"payment_intent", "charge",   "setup_intent",
                                      "payment_method", "customer", "source"};
    const char *id = call->id;
    for (size_t i = 0; i < COUNT_OF(ids) && id == NULL; i++) {
        id = param_text(&call->params, ids[i]);
    }
    return id;
}

static bool read_limit(struct call *call, int64_t *limit)
{
    *limit = param_i64(&call->params, "limit", LIST_LIMIT_DEFAULT);
    if (*limit >= 1 && *limit <= LIST_LIMIT_MAX) {
        return true;
    }
    call_refuse(call, &(struct refusal){.status = 400,
                                        .code = "parameter_invalid_integer",
                                        .param = "limit",
                                        .message = "limit must be from 1 to 100"});
    return false;
}

// Where a cursor's object is; false: refused.
static bool find_cursor(struct call *call, enum object_kind kind, const char *param, struct list **link)
{
    const char *id = param_text(&call->params, param);
    if (id == NULL) {
        return true;
    }
    struct object *object = object_find(call->context.account, kind, id);
    if (object == NULL) {
        call_refuse(call,
                    &(struct refusal){.status = 400,
                                      .code = "resource_missing",
                                      .param = param,
                                      .message = arena_printf(call->context.arena, "No such %s: '%.100s'",
                                                              object_kind_name(kind), id)});
        return false;
    }
    *link = &object->link;
    return true;
}

// Up to limit objects in the order of the walk, and whether there are more.
static struct json_object *collect(struct walk *walk, int64_t limit, bool *has_more)
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

static struct json_object *reversed(struct json_object *items)
{
    struct json_object *turned = json_object_new_array();
    for (size_t i = json_object_array_length(items); i > 0; i--) {
        json_object_array_add(turned, json_object_get(json_object_array_get_idx(items, i - 1)));
    }
    (void)json_object_put(items);
    return turned;
}

// Takes items.
static struct json_object *page_json(struct json_object *items, bool has_more, const char *url)
{
    struct json_object *page = json_new_object();
    json_add_str(page, "object", "list");
    json_add(page, "data", items);
    json_add_bool(page, "has_more", has_more);
    json_add_str(page, "url", url);
    return page;
}

void list_answer(struct call *call, enum object_kind kind,
                 bool (*takes)(const void *wanted, struct json_object *json), const void *wanted)
{
    struct list *head = &call->context.account->sets[kind].in_order;
    struct list *older_than = head;
    struct list *newer_than = head;
    int64_t limit = 0;
    if (!read_limit(call, &limit) || !find_cursor(call, kind, "starting_after", &older_than) ||
        !find_cursor(call, kind, "ending_before", &newer_than)) {
        return;
    }
    // ending_before asks for the page that ends there: it is walked from there to the newer ones, then
    // turned.
    bool forward = newer_than != head;
    bool takes_all = takes == NULL || (takes == list_filters_fit && !has_filter(call));
    const char *path = NULL;
    bool expands = param_texts(&call->params, "expand", &path, 1) > 0;
    struct walk walk = {.account = call->context.account,
                        .kind = kind,
                        .takes = takes,
                        .wanted = wanted,
                        .created = param_range(&call->params, "created"),
                        .mention = wanted_id(call),
                        .unread = takes_all && !expands,
                        .next = forward ? newer_than->next : older_than->prev,
                        .forward = forward};
    bool has_more = false;
    struct json_object *items = collect(&walk, limit, &has_more);
    call_answer(call, page_json(forward ? reversed(items) : items, has_more, call->path));
}

struct ownership {
    const char *member;
    const char *owner_id;
};

static bool is_owned(const void *wanted, struct json_object *json)
{
    const struct ownership *ownership = wanted;
    return text_equal(json_get_str(json, ownership->member), ownership->owner_id);
}

void list_answer_owned(struct call *call, enum object_kind kind, const char *member)
{
    list_answer(call, kind, is_owned, &(struct ownership){.member = member, .owner_id = call->id});
}

struct json_object *list_newest_owned(const struct context *context, enum object_kind kind,
                                      const char *member, const char *owner_id, const char *url)
{
    const struct ownership ownership = {.member = member, .owner_id = owner_id};
    struct walk walk = {.account = context->account,
                        .kind = kind,
                        .takes = is_owned,
                        .wanted = &ownership,
                        .created = {.min = INT64_MIN, .max = INT64_MAX},
                        .mention = owner_id,
                        .next = context->account->sets[kind].in_order.prev};
    bool has_more = false;
    struct json_object *items = collect(&walk, LIST_LIMIT_DEFAULT, &has_more);
    return page_json(items, has_more, url);
}

// What was deleted is not found, not even by what it lacks.
static bool fits_query(const void *query, struct json_object *json)
{
    return !json_get_bool(json, "deleted", false) && query_fits(query, json);
}

static bool read_query(struct call *call, const struct query_field *fields, struct query *query)
{
    if (query_parse(param_text(&call->params, "query"), fields, call->context.arena, query)) {
        return true;
    }
    call_refuse(call,
                &(struct refusal){.status = 400,
                                  .param = "query",
                                  .message = "The query is not understood: it must be of up to 10 clauses "
                                             "such as metadata['key']:'value', joined by AND or by OR."});
    return false;
}

void search_answer(struct call *call, enum object_kind kind, const struct query_field *fields)
{
    struct list *after = &call->context.account->sets[kind].in_order;
    struct query query;
    int64_t limit = 0;
    if (!read_query(call, fields, &query) || !read_limit(call, &limit) ||
        !find_cursor(call, kind, "page", &after)) {
        return;
    }
    struct walk walk = {.account = call->context.account,
                        .kind = kind,
                        .takes = fits_query,
                        .wanted = &query,
                        .created = {.min = INT64_MIN, .max = INT64_MAX},
                        .next = after->prev};
    bool has_more = false;
    struct json_object *items = collect(&walk, limit, &has_more);
    struct json_object *last =
        has_more ? json_object_array_get_idx(items, json_object_array_length(items) - 1) : NULL;
    struct json_object *page = json_new_object();
    json_add_str(page, "object", "search_result");
    json_add_bool(page, "has_more", has_more);
    json_add_str(page, "next_page", last == NULL ? NULL : json_get_str(last, "id"));
    json_add_str(page, "url", call->path);
    json_add(page, "data", items);
    call_answer(call, page);
}
