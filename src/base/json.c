// JSON values. json_check.c checks the grammar, then json-c builds the tree. json-c silently keeps the last
// of repeated names, so the number of members in the tree is compared with the number in the text.
#include "base/json.h"

#include <string.h>

#include "base/json_check.h"
#include "base/require.h"
#include "base/text.h"

#define NAME_SHOWN_BYTES_MAX 60

static void free_tokener(struct json_tokener **tokener)
{
    if (*tokener != NULL) {
        json_tokener_free(*tokener);
    }
}

void json_release(struct json_object **value)
{
    (void)json_object_put(*value);
    *value = NULL;
}

// Builds the tree of a checked text. json-c's own strictness stays off: it adds nothing to the check, and
// refuses integers beyond 64 bits, which are JSON.
static bool build(const char *text, size_t bytes, struct json_object **value)
{
    // json-c counts a scalar as a level; the check counts brackets.
    __attribute__((cleanup(free_tokener))) struct json_tokener *tokener =
        json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    REQUIRE(tokener != NULL);
    *value = json_tokener_parse_ex(tokener, text, (int)bytes);
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        *value =
            json_tokener_parse_ex(tokener, "", 1); // a lone number ends with the text: json-c needs its NUL
    }
    return json_tokener_get_error(tokener) == json_tokener_success;
}

static size_t count_members(struct json_object *value)
{
    size_t count = 0;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            count += 1 + count_members(member);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            count += count_members(json_object_array_get_idx(value, i));
        }
    }
    return count;
}

// The length of the string token at the start of a checked text, quotes included.
static size_t string_bytes(const char *text)
{
    size_t at = 1;
    while (text[at] != '"') {
        at += text[at] == '\\' ? 2 : 1;
    }
    return at + 1;
}

// Whether the string token is a name in an object: only a name has a colon after it.
static bool is_name(const char *token, size_t token_bytes, const char *end)
{
    const char *at = token + token_bytes;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
        at++;
    }
    return at < end && *at == ':';
}

// Adds the unescaped name to the names of its object. False where it is repeated.
static bool add_name(struct json_object *names, const char *token, size_t token_bytes,
                     struct json_place place, struct err *err)
{
    JSON_CLEANUP struct json_object *name = NULL;
    REQUIRE(build(token, token_bytes, &name));
    const char *text = json_object_get_string(name);
    if (json_object_object_get_ex(names, text, NULL)) {
        size_t shown = text_cut(text, strlen(text), NAME_SHOWN_BYTES_MAX);
        (void)err_set(err, ERR_BAD_REQUEST, "the name \"%.*s\" is repeated at line %zu, column %zu",
                      (int)shown, text, place.line, place.column);
        return false;
    }
    json_add(names, text, NULL);
    return true;
}

// Says which name a checked text repeats. The text must repeat one. Slow, and only for a text that is
// refused.
static void find_repeat(const char *text, size_t bytes, struct err *err)
{
    struct json_object *names[JSON_DEPTH_MAX + 1] = {0}; // the names so far of each object that is open
    size_t depth = 0;
    bool searching = true;
    for (size_t at = 0; at < bytes && searching; at++) {
        if (text[at] == '{' || text[at] == '[') {
            depth++;
            REQUIRE(depth < COUNT_OF(names));
            names[depth] = text[at] == '{' ? json_new_object() : NULL;
        } else if (text[at] == '}' || text[at] == ']') {
            json_release(&names[depth]);
            depth--;
        } else if (text[at] == '"') {
            size_t token_bytes = string_bytes(text + at);
            if (is_name(text + at, token_bytes, text + bytes)) {
                searching = add_name(names[depth], text + at, token_bytes, json_place(text, at), err);
            }
            at += token_bytes - 1;
        }
    }
    REQUIRE(!searching);
    for (size_t i = 0; i <= depth; i++) {
        json_release(&names[i]);
    }
}

enum errc json_parse(const char *text, size_t bytes, struct json_object **value, struct err *err)
{
    return json_parse_bounded(text, bytes, JSON_VALUES_MAX, value, err);
}

enum errc json_parse_bounded(const char *text, size_t bytes, size_t values_max, struct json_object **value,
                             struct err *err)
{
    if (bytes > INT32_MAX) {
        return err_set(err, ERR_BAD_REQUEST, "the text is too long");
    }
    size_t member_count = 0;
    enum errc rc = json_check(text, bytes, JSON_DEPTH_MAX, values_max, &member_count, err);
    if (rc != OK) {
        return rc;
    }
    JSON_CLEANUP struct json_object *built = NULL;
    if (!build(text, bytes, &built)) {
        return err_set(err, ERR_BAD_REQUEST, "the JSON text cannot be read");
    }
    if (count_members(built) != member_count) {
        find_repeat(text, bytes, err);
        return ERR_BAD_REQUEST;
    }
    *value = json_object_get(built);
    return OK;
}

struct json_object *json_get(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    if (json_object_is_type(object, json_type_object)) {
        (void)json_object_object_get_ex(object, name, &value);
    }
    return value;
}

const char *json_get_str(struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

int64_t json_get_i64(struct json_object *object, const char *name, int64_t absent)
{
    struct json_object *value = json_get(object, name);
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : absent;
}

bool json_get_bool(struct json_object *object, const char *name, bool absent)
{
    struct json_object *value = json_get(object, name);
    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) : absent;
}

const char *json_number_text(struct arena *arena, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double)) {
        return NULL;
    }
    return json_text(arena, value);
}

struct json_object *json_new_object(void)
{
    struct json_object *object = json_object_new_object();
    REQUIRE(object != NULL);
    return object;
}

void json_add(struct json_object *object, const char *name, struct json_object *value)
{
    REQUIRE(json_object_object_add(object, name, value) == 0);
}

void json_add_str(struct json_object *object, const char *name, const char *text)
{
    struct json_object *value = NULL;
    if (text != NULL) {
        value = json_object_new_string(text);
        REQUIRE(value != NULL);
    }
    json_add(object, name, value);
}

void json_add_i64(struct json_object *object, const char *name, int64_t value)
{
    struct json_object *number = json_object_new_int64(value);
    REQUIRE(number != NULL);
    json_add(object, name, number);
}

void json_add_bool(struct json_object *object, const char *name, bool value)
{
    struct json_object *truth = json_object_new_boolean(value);
    REQUIRE(truth != NULL);
    json_add(object, name, truth);
}

char *json_text(struct arena *arena, struct json_object *value)
{
    size_t bytes = 0;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &bytes);
    REQUIRE(text != NULL);
    return arena_strndup(arena, text, bytes);
}
