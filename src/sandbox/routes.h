// The API's table of contents: every call, the parameters it accepts and who handles it.
#pragma once

#include "sandbox/call.h"

struct route {
    const char *method;
    const char *path; // ":id" stands for one segment
    const struct param *params;
    void (*handle)(struct call *call);
    bool publishable; // may be called with a publishable key
};

// NULL: there is no such call. *id: the path's id in the arena, NULL if it has none.
const struct route *route_find(const char *method, const char *path, struct arena *arena, const char **id);
