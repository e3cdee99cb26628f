// Walks over an account's objects of one kind, and the pages that they fill. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/params.h"
#include "sandbox/state.h"

#define LIST_LIMIT_DEFAULT 10
#define LIST_LIMIT_MAX 100

struct list_walk {
    const struct account *account;
    enum object_kind kind;
    bool (*takes)(const void *wanted, struct json_object *json);
    const void *wanted;   // handed to takes
    struct range created; // in seconds
    const char *mention;  // text that every object that fits contains; NULL: no such text is known
    bool unread;          // takes is not asked, and no member of an object is read
    struct list *next;    // where the walk stands
    bool forward;         // towards newer objects
};

// Gives up to limit objects in the order of the walk, as an array, and whether there are more. The caller
// releases.
struct json_object *list_walk_collect(struct list_walk *walk, int64_t limit, bool *has_more);
// A list object. Takes items.
struct json_object *list_page(struct json_object *items, bool has_more, const char *url);

// For `takes`: the objects whose member is owner_id.
struct list_ownership {
    const char *member;
    const char *owner_id;
};
bool list_is_owned(const void *ownership, struct json_object *json);
// The first page of those, as an object shows it within itself; url: where the rest is. The caller releases.
struct json_object *list_newest_owned(const struct context *context, enum object_kind kind,
                                      const char *member, const char *owner_id, const char *url);
