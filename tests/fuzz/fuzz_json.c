// json_parse: an accepted tree is within its limits (depth, no NUL inside a string, no repeated name). Its
// written form parses again and is then written byte for byte the same, so no value changes on its way
// through the service.
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

// Every number has a text, and no other value has one.
static void check_number_text(struct arena *arena, struct json_object *value)
{
    const char *text = json_number_text(arena, value);
    bool number = json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
    REQUIRE((text != NULL) == number);
    REQUIRE(text == NULL || strspn(text, "+-.0123456789Ee") == strlen(text));
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
    check_number_text(&arena, value);

    const char *written = json_text(&arena, value);
    JSON_CLEANUP struct json_object *again = NULL;
    REQUIRE(json_parse(written, strlen(written), &again, &err) == OK);
    REQUIRE(strcmp(json_text(&arena, again), written) == 0);
    return 0;
}
