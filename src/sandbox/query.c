// Search queries. Pure. See query.h.
#include "sandbox/query.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"

static void skip_spaces(const char **at)
{
    *at += strspn(*at, " ");
}

static bool take(const char **at, const char *word)
{
    if (!text_starts_with(*at, word)) {
        return false;
    }
    *at += strlen(word);
    return true;
}

// A text in single or double quotes; NULL if there is none.
static const char *take_quoted(const char **at, struct arena *arena)
{
    char quote = **at;
    const char *end = quote == '\'' || quote == '"' ? strchr(*at + 1, quote) : NULL;
    if (end == NULL) {
        return NULL;
    }
    const char *text = arena_strndup(arena, *at + 1, (size_t)(end - *at - 1));
    *at = end + 1;
    return text;
}

static bool take_field(const char **at, struct arena *arena, struct query_clause *clause)
{
    static const char *const fields[] = {"metadata", "status", "currency", "customer"};
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (take(at, fields[i])) {
            clause->field = fields[i];
            if (i > 0) {
                return true;
            }
            clause->key = take(at, "[") ? take_quoted(at, arena) : NULL;
            return clause->key != NULL && take(at, "]");
        }
    }
    return false;
}

bool query_parse(const char *text, struct arena *arena, struct query *query)
{
    *query = (struct query){0};
    const char *at = text;
    do {
        if (query->count == QUERY_CLAUSES_MAX) {
            return false;
        }
        struct query_clause *clause = &query->clauses[query->count++];
        skip_spaces(&at);
        if (!take_field(&at, arena, clause) || !take(&at, ":")) {
            return false;
        }
        clause->value = take_quoted(&at, arena);
        if (clause->value == NULL) {
            return false;
        }
        skip_spaces(&at);
    } while (take(&at, "AND "));
    return *at == '\0';
}

bool query_fits(const struct query *query, struct json_object *object)
{
    for (int i = 0; i < query->count; i++) {
        const struct query_clause *clause = &query->clauses[i];
        const char *value = clause->key == NULL ? json_get_str(object, clause->field)
                                                : json_get_str(json_get(object, clause->field), clause->key);
        if (!text_equal(value, clause->value)) {
            return false;
        }
    }
    return true;
}
