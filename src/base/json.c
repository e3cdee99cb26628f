// See json.h. json_reader.c reads the text, and json-c keeps the tree.
#include "base/json.h"

#include "base/require.h"
#include "base/text.h"

void json_release(struct json_object **value)
{
    (void)json_object_put(*value);
    *value = NULL;
}

// json-c itself reads negative numbers, fractions, whose text it keeps, and numbers beyond 64 bits.
static struct json_object *build_number(const char *text)
{
    int64_t number = 0;
    return text_to_i64(text, &number, NULL) == OK ? json_object_new_int64(number) : json_tokener_parse(text);
}

// Builds the tree of what was read: letting json-c parse the text again would be most of the work. It goes
// as deep as json_read lets it.
static struct json_object *build(const struct json_value *value)
{
    struct json_object *built = NULL;
    switch (value->kind) {
    case JSON_NULL:
        return NULL;
    case JSON_BOOL:
        built = json_object_new_boolean(value->text[0] == 't');
        break;
    case JSON_NUMBER:
        built = build_number(value->text);
        break;
    case JSON_STRING:
        built = json_object_new_string(value->text);
        break;
    case JSON_ARRAY:
        built = json_object_new_array_ext((int)value->count);
        break;
    case JSON_OBJECT:
        built = json_object_new_object();
        break;
    }
    REQUIRE(built != NULL);
    for (const struct json_value *each = json_first(value); each != NULL; each = json_next(value, each)) {
        int added = value->kind == JSON_ARRAY ? json_object_array_add(built, build(each))
                                              : json_object_object_add_ex(built, each->name, build(each),
                                                                          JSON_C_OBJECT_ADD_KEY_IS_NEW);
        REQUIRE(added == 0);
    }
    return built;
}

enum errc json_parse(const char *text, size_t bytes, struct json_object **value, struct err *err)
{
    return json_parse_bounded(text, bytes, JSON_VALUES_MAX, value, err);
}

enum errc json_parse_bounded(const char *text, size_t bytes, size_t values_max, struct json_object **value,
                             struct err *err)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const struct json_value *read = NULL;
    enum errc rc = json_read(&arena, text, bytes, values_max, &read, err);
    if (rc == OK) {
        *value = build(read);
    }
    return rc;
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
