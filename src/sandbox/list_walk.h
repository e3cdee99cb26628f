// Walks over an account's objects of one kind, and the pages that they fill. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json_reader.h"
#include "sandbox/params.h"
#include "sandbox/state.h"

#define LIST_LIMIT_DEFAULT 10
#define LIST_LIMIT_MAX 100

struct list_walk {
    const struct account *account;
    enum object_kind kind;
    bool (*takes)(const void *wanted, const struct json_value *object); // NULL: all
    const void *wanted;                                                 // handed to takes
    struct range created;                                               // in seconds
    const char *mention; // every object that is taken contains this text; NULL: no such text is known
    bool reads_members;  // somebody reads the members of the objects that are taken
    struct list *next;   // the next object to look at
    bool forward;        // towards newer objects
};

// Gives an array of up to limit objects in the order of the walk, and whether there are more. The caller
// releases.
struct json_object *list_walk_collect(struct list_walk *walk, int64_t limit, bool *has_more);
// A list object. Takes items.
struct json_object *list_page(struct json_object *items, bool has_more, const char *url);

// For `takes`: takes the objects whose member is owner_id.
struct list_ownership {
    const char *member;
    const char *owner_id;
};
bool list_is_owned(const void *ownership, const struct json_value *object);
// The first page of those, to be shown within the owner. url: of the whole list. The caller releases.
struct json_object *list_newest_owned(const struct context *context, enum object_kind kind,
                                      const char *member, const char *owner_id, const char *url);
