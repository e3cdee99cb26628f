// The part of Stripe's search language that reconciliation needs: metadata['k']:'v', status:'v',
// currency:'v', customer:'v', joined by AND. Pure.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/json.h"

#define QUERY_CLAUSES_MAX 10

struct query {
    struct query_clause {
        const char *field; // "metadata" or a member's name
        const char *key;   // of metadata
        const char *value;
    } clauses[QUERY_CLAUSES_MAX];
    int count;
};

// False: not of that form. Text in the arena.
bool query_parse(const char *text, struct arena *arena, struct query *query) MUST_CHECK;
bool query_fits(const struct query *query, struct json_object *object);
