// Paging. Pure. See lists.h.
#include "sandbox/lists.h"

#include "base/require.h"
#include "base/text.h"
#include "sandbox/list_walk.h"

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

bool list_filters_fit(const void *call, const struct json_value *object)
{
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        const char *wanted = param_text(&((const struct call *)call)->params, filters[i]);
        if (wanted != NULL && !text_equal(wanted, json_read_str(object, filters[i]))) {
            return false;
        }
    }
    return true;
}

// The id that the call filters by, or that its path names. The texts of the objects that match contain it, so
// the others are not parsed: a list of one payment's refunds stays cheap in an account with a million.
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
    return call_refuse_as(call, 400, "parameter_invalid_integer", "limit", "limit must be from 1 to 100");
}

// Finds the place of the object that the cursor names. False: refused.
static bool find_cursor(struct call *call, const char *param, struct list **link)
{
    const char *id = param_text(&call->params, param);
    if (id == NULL) {
        return true;
    }
    struct object *object = object_find(call->context.account, call->kind, id);
    if (object == NULL) {
        return call_refuse_as(
            call, 400, "resource_missing", param,
            arena_printf(call->context.arena, "No such %s: '%.100s'", object_kind_name(call->kind), id));
    }
    *link = &object->link;
    return true;
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

void list_answer(struct call *call, bool (*takes)(const void *wanted, const struct json_value *object),
                 const void *wanted)
{
    struct list *head = &call->context.account->sets[call->kind].in_order;
    struct list *older_than = head;
    struct list *newer_than = head;
    int64_t limit = 0;
    if (!read_limit(call, &limit) || !find_cursor(call, "starting_after", &older_than) ||
        !find_cursor(call, "ending_before", &newer_than)) {
        return;
    }
    // ending_before asks for the page that ends there: walk from there to newer objects, then reverse.
    bool forward = newer_than != head;
    bool takes_all = takes == list_filters_fit && !has_filter(call);
    const char *path = NULL;
    bool expands = param_texts(&call->params, "expand", &path, 1) > 0;
    struct list_walk walk = {.account = call->context.account,
                             .kind = call->kind,
                             .takes = takes_all ? NULL : takes,
                             .wanted = wanted,
                             .created = param_range(&call->params, "created"),
                             .mention = wanted_id(call),
                             .reads_members = expands,
                             .next = forward ? newer_than->next : older_than->prev,
                             .forward = forward};
    bool has_more = false;
    struct json_object *items = list_walk_collect(&walk, limit, &has_more);
    call_answer(call, list_page(forward ? reversed(items) : items, has_more, call->path));
}

void list_filtered(struct call *call)
{
    list_answer(call, list_filters_fit, call);
}

void list_answer_owned(struct call *call, const char *member)
{
    list_answer(call, list_is_owned, &(struct list_ownership){.member = member, .owner_id = call->id});
}

// A search never finds deleted objects, not even by members that they lack.
static bool fits_query(const void *query, const struct json_value *object)
{
    return !json_read_bool(object, "deleted", false) && query_fits(query, object);
}

void search_answer(struct call *call, const struct query_field *fields)
{
    struct list *after = &call->context.account->sets[call->kind].in_order;
    struct query query;
    int64_t limit = 0;
    if (!query_parse(param_text(&call->params, "query"), fields, call->context.arena, &query)) {
        call_refuse_as(call, 400, NULL, "query",
                       "The query is not understood: it must be of up to 10 clauses such as "
                       "metadata['key']:'value', joined by AND or by OR.");
        return;
    }
    if (!read_limit(call, &limit) || !find_cursor(call, "page", &after)) {
        return;
    }
    struct list_walk walk = {.account = call->context.account,
                             .kind = call->kind,
                             .takes = fits_query,
                             .wanted = &query,
                             .created = {.min = INT64_MIN, .max = INT64_MAX},
                             .reads_members = true,
                             .next = after->prev};
    bool has_more = false;
    struct json_object *items = list_walk_collect(&walk, limit, &has_more);
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
