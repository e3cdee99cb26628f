// See json.h. json_reader.c checks the text, then json-c builds the tree.
#include "base/json.h"

#include "base/require.h"

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

enum errc json_parse(const char *text, size_t bytes, struct json_object **value, struct err *err)
{
    return json_parse_bounded(text, bytes, JSON_VALUES_MAX, value, err);
}

enum errc json_parse_bounded(const char *text, size_t bytes, size_t values_max, struct json_object **value,
                             struct err *err)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const struct json_value *checked = NULL;
    JSON_CLEANUP struct json_object *built = NULL;
    enum errc rc = json_read(&arena, text, bytes, values_max, &checked, err);
    if (rc != OK) {
        return rc;
    }
    if (!build(text, bytes, &built)) {
        return err_set(err, ERR_BAD_REQUEST, "the JSON text cannot be read");
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
