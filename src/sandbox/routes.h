// The table of all calls: the parameters that each accepts, and its handler.
#pragma once

#include "sandbox/call.h"

struct route {
    const char *method;
    const char *path; // ":id" and ":inner_id" stand for one segment each
    const struct param *params;
    void (*handle)(struct call *call);
    enum object_kind kind; // of the objects that the call makes, reads or changes
    bool publishable;      // may be called with a publishable key
};

// NULL: there is no such call. *id, *inner_id: the path's ids in the arena, NULL where it has none.
const struct route *route_find(const char *method, const char *path, struct arena *arena, const char **id,
                               const char **inner_id);
