// Search queries. Pure. See query.h.
#include "sandbox/query.h"

#include <string.h>
#include <strings.h>

#include "base/require.h"
#include "base/text.h"

static bool take(const char **at, const char *word)
{
    if (strncasecmp(*at, word, strlen(word)) != 0) {
        return false;
    }
    *at += strlen(word);
    return true;
}

// A text in single or double quotes, where a backslash escapes a quote; NULL if there is none.
static const char *take_quoted(const char **at, struct arena *arena)
{
    char quote = **at;
    if (quote != '\'' && quote != '"') {
        return NULL;
    }
    char *text = arena_strdup(arena, *at + 1);
    char *out = text;
    for (const char *in = *at + 1; *in != '\0'; in++) {
        if (*in == quote) {
            *out = '\0';
            *at = in + 1;
            return text;
        }
        in += in[0] == '\\' && in[1] == quote;
        *out++ = *in;
    }
    return NULL;
}

static bool take_field(const char **at, const struct query_field *fields, struct arena *arena,
                       struct query_clause *clause)
{
    clause->negated = take(at, "-");
    size_t bytes = strcspn(*at, "[:~<> ");
    for (const struct query_field *field = fields; field->name != NULL; field++) {
        if (strlen(field->name) == bytes && strncmp(field->name, *at, bytes) == 0) {
            clause->field = field;
            *at += bytes;
            if (field->type != QUERY_METADATA) {
                return true;
            }
            clause->key = take(at, "[") ? take_quoted(at, arena) : NULL;
            return clause->key != NULL && take(at, "]");
        }
    }
    return false;
}

static bool take_comparison(const char **at, struct query_clause *clause)
{
    static const struct {
        const char *sign;
        bool types[4];
    } comparisons[] = {
        {":", {[QUERY_TOKEN] = true, [QUERY_STRING] = true, [QUERY_NUMBER] = true, [QUERY_METADATA] = true}},
        {"~", {[QUERY_STRING] = true}},
        {">=", {[QUERY_NUMBER] = true}},
        {">", {[QUERY_NUMBER] = true}},
        {"<=", {[QUERY_NUMBER] = true}},
        {"<", {[QUERY_NUMBER] = true}},
    };
    for (size_t i = 0; i < COUNT_OF(comparisons); i++) {
        if (take(at, comparisons[i].sign)) {
            clause->comparison = comparisons[i].sign;
            return comparisons[i].types[clause->field->type];
        }
    }
    return false;
}

static bool take_value(const char **at, struct arena *arena, struct query_clause *clause)
{
    bool exact = text_equal(clause->comparison, ":");
    if (exact && take(at, "null")) {
        return true;
    }
    if (clause->field->type == QUERY_NUMBER) {
        size_t digits = strspn(*at, "0123456789");
        clause->value = digits > 0 ? arena_strndup(arena, *at, digits) : take_quoted(at, arena);
        *at += digits;
        return clause->value != NULL && text_to_i64(clause->value, &clause->number, NULL) == OK;
    }
    clause->value = take_quoted(at, arena);
    return clause->value != NULL && (exact || strlen(clause->value) >= QUERY_PART_CHARS_MIN);
}

// Reads AND or OR between two clauses. False: neither, or both in one query.
static bool take_joint(const char **at, struct query *query)
{
    size_t spaces = strspn(*at, " ");
    *at += spaces;
    bool any = take(at, "OR ");
    (void)(any || take(at, "AND "));
    *at += strspn(*at, " ");
    bool first = query->count == 1;
    bool fits = first || any == query->any;
    query->any = any;
    return spaces > 0 && fits;
}

bool query_parse(const char *text, const struct query_field *fields, struct arena *arena, struct query *query)
{
    *query = (struct query){0};
    const char *at = text_trim(arena, text);
    do {
        struct query_clause *clause = &query->clauses[query->count];
        if (query->count == QUERY_CLAUSES_MAX || (query->count > 0 && !take_joint(&at, query)) ||
            !take_field(&at, fields, arena, clause) || !take_comparison(&at, clause) ||
            !take_value(&at, arena, clause)) {
            return false;
        }
        query->count++;
    } while (*at != '\0');
    return true;
}

static bool number_fits(const struct query_clause *clause, int64_t number)
{
    switch (clause->comparison[0]) {
    case '>':
        return number > clause->number || (clause->comparison[1] == '=' && number == clause->number);
    case '<':
        return number < clause->number || (clause->comparison[1] == '=' && number == clause->number);
    default:
        return number == clause->number;
    }
}

static bool clause_fits(const struct query_clause *clause, const struct json_value *object)
{
    const struct json_value *holder =
        clause->key == NULL ? object : json_read_member(object, clause->field->name);
    const char *member = clause->key == NULL ? clause->field->name : clause->key;
    if (clause->value == NULL || json_read_member(holder, member) == NULL) {
        return clause->value == NULL && json_read_member(holder, member) == NULL;
    }
    const char *text = json_read_str(holder, member);
    switch (clause->field->type) {
    case QUERY_NUMBER:
        return number_fits(clause, json_read_i64(holder, member, 0));
    case QUERY_STRING:
        return text_equal(clause->comparison, "~") ? strcasestr(text, clause->value) != NULL
                                                   : text_equal_nocase(text, clause->value);
    case QUERY_TOKEN:
    case QUERY_METADATA:
        return text_equal(text, clause->value);
    }
    return false;
}

bool query_fits(const struct query *query, const struct json_value *object)
{
    for (int i = 0; i < query->count; i++) {
        const struct query_clause *clause = &query->clauses[i];
        if ((clause_fits(clause, object) != clause->negated) == query->any) {
            return query->any;
        }
    }
    return !query->any;
}
