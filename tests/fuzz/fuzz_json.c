// json_read and json_parse: an accepted tree is within its limits (depth, no NUL inside a string, no repeated
// name). Its written form parses again and is then written byte for byte the same, so no value changes on its
// way through the service. What json_read makes of a text is what json-c's own parser makes of it.
#include "base/json.h"

#include "fuzz.h"

// Counts the members of the tree. A repeated name would be one member but two colons in the text.
static size_t check_tree(struct json_object *value, int depth)
{
    size_t members = 0;
    if (json_object_is_type(value, json_type_string)) {
        REQUIRE(strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value));
    } else if (json_object_is_type(value, json_type_array)) {
        REQUIRE(depth < JSON_DEPTH_MAX);
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            members += check_tree(json_object_array_get_idx(value, i), depth + 1);
        }
    } else if (json_object_is_type(value, json_type_object)) {
        REQUIRE(depth < JSON_DEPTH_MAX);
        json_object_object_foreach(value, name, member)
        {
            REQUIRE(json_get(value, name) == member);
            members += 1 + check_tree(member, depth + 1);
        }
    }
    return members;
}

// Counts the colons outside strings: valid JSON has one for each member.
static size_t count_colons(const uint8_t *text, size_t bytes)
{
    size_t colons = 0;
    bool in_string = false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '"') {
            in_string = !in_string;
        } else if (in_string && text[i] == '\\') {
            i++;
        } else if (!in_string && text[i] == ':') {
            colons++;
        }
    }
    return colons;
}

// The values that json_read found are those of json-c's tree, in the same order.
static void check_same(const struct json_value *read, struct json_object *built)
{
    const struct json_value *each = json_first(read);
    switch (read->kind) {
    case JSON_NULL:
        REQUIRE(built == NULL);
        break;
    case JSON_BOOL:
        REQUIRE((read->text[0] == 't') == json_object_get_boolean(built));
        break;
    case JSON_NUMBER:
        REQUIRE(json_object_is_type(built, json_type_int) || json_object_is_type(built, json_type_double));
        REQUIRE(json_object_is_type(built, json_type_int) ||
                strcmp(read->text, json_object_get_string(built)) == 0);
        break;
    case JSON_STRING:
        REQUIRE(strcmp(read->text, json_object_get_string(built)) == 0);
        break;
    case JSON_ARRAY:
        REQUIRE(read->count == json_object_array_length(built));
        for (size_t i = 0; each != NULL; i++, each = json_next(read, each)) {
            check_same(each, json_object_array_get_idx(built, i));
        }
        break;
    case JSON_OBJECT:
        REQUIRE(read->count == (size_t)json_object_object_length(built));
        json_object_object_foreach(built, name, member)
        {
            REQUIRE(strcmp(each->name, name) == 0 && json_find(read, name) == each);
            REQUIRE(json_get_i64(built, name, -7) == json_read_i64(read, name, -7));
            check_same(each, member);
            each = json_next(read, each);
        }
        REQUIRE(each == NULL);
        break;
    }
}

// json_parse builds its trees from what json_read has read, so this tree is json-c's own.
static struct json_object *parse_with_json_c(const uint8_t *text, size_t bytes)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2); // a plain value is a level, too
    REQUIRE(tokener != NULL);
    struct json_object *value = json_tokener_parse_ex(tokener, (const char *)text, (int)bytes);
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        value = json_tokener_parse_ex(tokener, "", 1); // a lone number ends with a NUL
    }
    REQUIRE(json_tokener_get_error(tokener) == json_tokener_success);
    json_tokener_free(tokener);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    JSON_CLEANUP struct json_object *value = NULL;
    struct err err = {0};
    if (json_parse((const char *)data, bytes, &value, &err) != OK) {
        REQUIRE(err.code == ERR_BAD_REQUEST && err.message[0] != '\0' && value == NULL);
        return 0;
    }
    REQUIRE(check_tree(value, 0) == count_colons(data, bytes));
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct json_value *read = NULL;
    REQUIRE(json_read(&arena, (const char *)data, bytes, JSON_VALUES_MAX, &read, &err) == OK);
    check_same(read, value);
    JSON_CLEANUP struct json_object *other = parse_with_json_c(data, bytes);
    check_same(read, other);

    const char *written = json_text(&arena, value);
    JSON_CLEANUP struct json_object *again = NULL;
    REQUIRE(json_parse(written, strlen(written), &again, &err) == OK);
    REQUIRE(strcmp(json_text(&arena, again), written) == 0);
    return 0;
}
