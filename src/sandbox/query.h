// Stripe's search language: clauses such as name~'jo', created>1700000000 or -metadata['k']:null, joined by
// AND (or a space) or by OR, not by both. Pure. https://docs.stripe.com/search#search-query-language
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/json_reader.h"

#define QUERY_CLAUSES_MAX 10
#define QUERY_PART_CHARS_MIN 3 // that ~ looks for

enum query_type {
    QUERY_TOKEN,    // :
    QUERY_STRING,   // : and ~, case-insensitive
    QUERY_NUMBER,   // : > >= < <=
    QUERY_METADATA, // field['key'] with :
};

// A field that may be searched for. A table of these ends with QUERY_FIELDS_END.
struct query_field {
    const char *name;
    enum query_type type;
};
#define QUERY_FIELDS_END                                                                                     \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

struct query_clause {
    const struct query_field *field;
    const char *key; // of metadata
    bool negated;
    const char *comparison; // one of those above
    const char *value;      // NULL: null
    int64_t number;         // of a QUERY_NUMBER
};

struct query {
    struct query_clause clauses[QUERY_CLAUSES_MAX];
    int count;
    bool any; // one clause is enough: OR
};

// False: the query is malformed, or names an unknown field. Text in the arena.
bool query_parse(const char *text, const struct query_field *fields, struct arena *arena,
                 struct query *query) MUST_CHECK;
bool query_fits(const struct query *query, const struct json_value *object);
