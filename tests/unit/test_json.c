// JSON from outside: what is JSON, what is not, and what is kept of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/require.h"

static void assert_refused(const char *text, size_t bytes, const char *because)
{
    struct json_object *value = NULL;
    struct err err = {0};
    if (json_parse(text, bytes, &value, &err) != ERR_BAD_REQUEST) {
        fail_msg("'%.60s' is taken", text);
    }
    assert_null(value);
    assert_int_equal(err.code, ERR_BAD_REQUEST);
    if (strstr(err.message, because) == NULL) {
        fail_msg("'%.60s' is refused with '%s', not '%s'", text, err.message, because);
    }
}

static struct json_object *parse(const char *text)
{
    struct json_object *value = NULL;
    struct err err = {0};
    if (json_parse(text, strlen(text), &value, &err) != OK) {
        fail_msg("'%s' is refused: %s", text, err.message);
    }
    return value;
}

static void assert_reads_as(const char *text, const char *again)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    JSON_CLEANUP struct json_object *value = parse(text);
    assert_string_equal(json_text(&arena, value), again);
}

static void json_is_read_and_written_again(void **state)
{
    (void)state;
    static const char *const texts[] = {"null",
                                        "true",
                                        "false",
                                        "0",
                                        "-1",
                                        "\"\"",
                                        "[]",
                                        "{}",
                                        "[[],{}]",
                                        "{\"b\":1,\"a\":[2,null,{\"c\":false}]}",
                                        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xb3\"",
                                        "\"a/b\"",
                                        "{\"\":0}",
                                        "\"\\\"\\\\\\n\\u001f\""};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_reads_as(texts[i], texts[i]);
    }
    assert_reads_as(" \t\r\n[ 1 , 2 ] \n", "[1,2]");
    assert_reads_as("{ \"a\" : \"\\u00e9\\uD83D\\uDCB3\\/\" }", "{\"a\":\"\xc3\xa9\xf0\x9f\x92\xb3/\"}");
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "nul",
                                        "Null",
                                        "TRUE",
                                        "nulll",
                                        "NaN",
                                        "nan",
                                        "Infinity",
                                        "-Infinity",
                                        "[NaN]",
                                        "undefined",
                                        "'a'",
                                        "a",
                                        "{a:1}",
                                        "{'a':1}",
                                        "{1:1}",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\" 1}",
                                        "{,}",
                                        "{\"a\":1,}",
                                        "{\"a\":1 \"b\":2}",
                                        "{",
                                        "}",
                                        "{]",
                                        "[}",
                                        "[",
                                        "]",
                                        "[,]",
                                        "[1,]",
                                        "[,1]",
                                        "[1 2]",
                                        "[1",
                                        "{\"a\":1",
                                        "\"",
                                        "\"a",
                                        "\"\\\"",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\u12g4\"",
                                        "\"\\u",
                                        "\"a\nb\"",
                                        "\"a\tb\"",
                                        "\"\x01\"",
                                        "/* */ 1",
                                        "1 // one",
                                        "#",
                                        "\xef\xbb\xbf{}",
                                        "\302\2401",
                                        "\v1",
                                        "\f1"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_refused(texts[i], strlen(texts[i]), "not valid JSON");
    }
}

static void malformed_numbers_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"01",    "-01", "00",  "+1",  "-",     "1.",      ".5",   "-.5",
                                        "1.e5",  "1e",  "1e+", "1E-", "1.5.5", "1e5.5",   "0x10", "1_000",
                                        "1,000", "--1", "1-",  "1 0", "1a",    "\xd9\xa1"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_refused(texts[i], strlen(texts[i]), "not valid JSON");
    }
}

static void anything_behind_the_value_is_refused_at_its_place(void **state)
{
    (void)state;
    assert_refused("{} x", 4, "line 1, column 4: the end is expected, after one value");
    assert_refused("{}{}", 4, "at line 1, column 3: ");
    assert_refused("1 2", 3, "at line 1, column 3: ");
    assert_refused("{}\0", 3, "at line 1, column 3: ");
    assert_refused("null,", 5, "at line 1, column 5: ");
}

static void a_refusal_says_where_and_what_is_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *said;
    } cases[] = {
        {"{\n  \"amount\": 10,\n}", "line 3, column 1: a name in double quotes is expected after the comma"},
        {"[1,\r\n 2, ]", "line 2, column 5: a value is expected after the comma"},
        {"{\"a\": 1 \"b\": 2}", "line 1, column 9: a comma or } is expected"},
        {"[1 2]", "line 1, column 4: a comma or ] is expected"},
        {"{a: 1}", "line 1, column 2: a name in double quotes is expected"},
        {"{'a': 1}", "line 1, column 2: a name in double quotes is expected"},
        {"{\"\u00e4\u00f6\" 1}", "line 1, column 7: a colon is expected after the name"},
        {"{\"a\": }", "line 1, column 7: a value is expected"},
        {"{\"a\": True}", "line 1, column 7: a value is expected"},
        {"{\"a\": tru}", "line 1, column 7: true, false or null is expected"},
        {"{\"a\": 010}", "line 1, column 8: a number must not begin with a zero"},
        {"{\"a\": 1.}", "line 1, column 9: a digit is expected"},
        {"{\"a\": \"b", "line 1, column 9: a closing double quote is expected"},
        {"{\"a\": \"\\x\"}", "an escape is expected after the backslash"},
        {"", "line 1, column 1: a value is expected"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_refused(cases[i].text, strlen(cases[i].text), cases[i].said);
    }
}

static void a_text_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const char text[] =
        "{\"amount\": 10.50, \"list\": [true, null, \"\\u00e9\"], \"o\": {\"a\": -1e5}}";
    for (size_t bytes = 0; bytes < strlen(text); bytes++) {
        assert_refused(text, bytes, "not valid JSON");
    }
    JSON_CLEANUP struct json_object *value = parse(text);
    assert_non_null(value);
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"\x80\"", "\"\xc0\x80\"",     "\"\xed\xa0\x80\"",
                                        "\"\xff\"", "{\"\xe2\x82\":1}", "\"\xf4\x90\x80\x80\"",
                                        "\xff"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_refused(texts[i], strlen(texts[i]), "UTF-8");
    }
}

static void a_nul_in_a_string_is_refused(void **state)
{
    (void)state;
    assert_refused("\"a\\u0000b\"", 10, "\\u0000");
    assert_refused("{\"a\\u0000\":1}", 13, "\\u0000");
    assert_refused("\"a\0b\"", 5, "control character");
    assert_reads_as("\"\\\\u0000\"", "\"\\\\u0000\""); // a backslash and the text u0000
}

static void every_control_character_in_a_string_is_refused(void **state)
{
    (void)state;
    for (char c = 0; c < 0x20; c++) {
        const char value[] = {'"', 'a', c, '"'};
        const char name[] = {'{', '"', c, '"', ':', '1', '}'};
        assert_refused(value, sizeof value, "column 3: a control character in a string must be escaped");
        assert_refused(name, sizeof name, "column 3: a control character in a string must be escaped");
    }
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    char text[8 * JSON_DEPTH_MAX];
    for (size_t depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        text[depth] = '1';
        memset(text + depth + 1, ']', depth);
        text[2 * depth + 1] = '\0';
        if (depth <= JSON_DEPTH_MAX) {
            assert_reads_as(text, text);
        } else {
            assert_refused(text, strlen(text), "column 33: it is nested too deep");
        }
    }
    static char deep[1000000];
    memset(deep, '[', sizeof deep);
    assert_refused(deep, sizeof deep, "nested too deep");
    BUF_CLEANUP struct buf objects = BUF_MAX(1000000);
    while (!objects.overflow) {
        buf_add_str(&objects, "{\"a\":");
    }
    assert_refused(objects.data, objects.len, "nested too deep");
}

static void a_repeated_name_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"amount\":1,\"amount\":1}",
        "{\"amount\":1,\"b\":{},\"amount\":null}",
        "{\"amount\" : \"}\" , \"b\" : [{\"c\":\"amount\"}] , \"amount\" : 3}",
        "[[{\"x\":{\"amount\":1,\"y\":[],\"amount\":2}}]]",
        "{\"a\":{\"amount\":1},\"b\":{\"amount\":1,\"amount\":1}}",
        "{\"amount\":1,\"\\u0061mount\":2}",
        "{\"\\u0061\\u006d\\u006F\\u0075nt\":1,\"amount\":2}",
        "{\"\\\"\":{\"amount\":1,\"amount\":2}}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_refused(texts[i], strlen(texts[i]), "the name \"amount\" is repeated at line 1, column ");
    }
    assert_refused("{\"\":1,\"\":2}", 11, "the name \"\" is repeated at line 1, column 7");
    assert_refused("{\"/\":1,\"\\/\":2}", 14, "the name \"/\" is repeated at line 1, column 8");
}

static void a_long_repeated_name_is_shortened_in_the_message(void **state)
{
    (void)state;
    char name[400];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    char text[1000];
    int bytes = snprintf(text, sizeof text, "{\"%s\":1,\"%s\":2}", name, name);
    assert_refused(text, (size_t)bytes, "nnn\" is repeated at line 1, column 406");
}

static void the_same_name_in_different_objects_is_no_repeat(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":{\"a\":[{\"a\":1},{\"a\":\"a\"}]},\"A\":2,\"a \":3,\"b\":{\"a\":4}}";
    assert_reads_as(text, text);
}

static void numbers_keep_their_own_text(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    static const char *const texts[] = {"0",
                                        "10",
                                        "10.00",
                                        "29.99",
                                        "0.1",
                                        "-0.0",
                                        "1e400",
                                        "1E+2",
                                        "0.000000000000000000000000000001",
                                        "12345678901234567890.123456789",
                                        "9223372036854775807",
                                        "-9223372036854775808"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        JSON_CLEANUP struct json_object *value = parse(texts[i]);
        assert_string_equal(json_number_text(&arena, value), texts[i]);
        char list[80];
        (void)snprintf(list, sizeof list, "[%s]", texts[i]);
        assert_reads_as(list, list);
    }
}

static void integers_beyond_64_bits_are_clamped_to_64_bits(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    JSON_CLEANUP struct json_object *large = parse("123456789012345678901234567890");
    JSON_CLEANUP struct json_object *small = parse("-123456789012345678901234567890");
    assert_string_equal(json_number_text(&arena, large), "18446744073709551615");
    assert_string_equal(json_number_text(&arena, small), "-9223372036854775808");
}

static void only_a_number_has_a_number_text(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    static const char *const texts[] = {"null", "true", "\"10\"", "[]", "{}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        JSON_CLEANUP struct json_object *value = parse(texts[i]);
        assert_null(json_number_text(&arena, value));
    }
}

// "[{},{},...]" with so many values, the list itself included.
static void list_of_values(struct buf *text, size_t values)
{
    for (size_t i = 1; i < values; i++) {
        buf_add_str(text, i == 1 ? "[{}" : ",{}");
    }
    buf_add_str(text, "]");
}

static void values_have_a_limit(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf most = BUF_MAX(100000);
    BUF_CLEANUP struct buf more = BUF_MAX(100000);
    list_of_values(&most, JSON_VALUES_MAX);
    list_of_values(&more, JSON_VALUES_MAX + 1);
    JSON_CLEANUP struct json_object *list = parse(buf_str(&most));
    assert_int_equal(json_object_array_length(list), JSON_VALUES_MAX - 1);
    assert_refused(buf_str(&more), more.len, "too many values");

    JSON_CLEANUP struct json_object *small = NULL;
    assert_int_equal(json_parse_bounded("{\"a\":[1]}", 9, 3, &small, NULL), OK);
    JSON_CLEANUP struct json_object *none = NULL;
    assert_int_equal(json_parse_bounded("{\"a\":[1]}", 9, 2, &none, NULL), ERR_BAD_REQUEST);
}

static void a_member_of_the_wrong_type_reads_as_absent(void **state)
{
    (void)state;
    JSON_CLEANUP struct json_object *object = parse(
        "{\"s\":\"text\",\"i\":7,\"d\":7.0,\"t\":true,\"n\":null,\"o\":{},\"big\":18446744073709551615}");
    assert_string_equal(json_get_str(object, "s"), "text");
    assert_int_equal(json_get_i64(object, "i", -1), 7);
    assert_true(json_get_bool(object, "t", false));
    assert_non_null(json_get(object, "o"));
    assert_true(json_get_i64(object, "big", -1) == INT64_MAX);

    assert_null(json_get(object, "n"));
    assert_null(json_get(object, "absent"));
    assert_null(json_get_str(object, "i"));
    assert_null(json_get_str(object, "o"));
    assert_int_equal(json_get_i64(object, "s", -1), -1);
    assert_int_equal(json_get_i64(object, "d", -1), -1);
    assert_int_equal(json_get_i64(object, "t", -1), -1);
    assert_true(json_get_bool(object, "i", true));
    assert_false(json_get_bool(object, "s", false));
    assert_null(json_get(NULL, "s"));
    JSON_CLEANUP struct json_object *list = parse("[1]");
    assert_null(json_get(list, "s"));
}

static void an_answer_keeps_the_order_of_its_members(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    JSON_CLEANUP struct json_object *object = json_new_object();
    struct json_object *inner = json_new_object();
    json_add_str(object, "z", "https://example.com/\"\n");
    json_add_i64(object, "y", INT64_MIN);
    json_add_bool(object, "x", true);
    json_add_str(object, "w", NULL);
    json_add(object, "v", inner);
    json_add(object, "u", NULL);
    assert_string_equal(
        json_text(&arena, object),
        "{\"z\":\"https://example.com/\\\"\\n\",\"y\":-9223372036854775808,\"x\":true,\"w\":null,"
        "\"v\":{},\"u\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_read_and_written_again),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(malformed_numbers_are_refused),
        cmocka_unit_test(anything_behind_the_value_is_refused_at_its_place),
        cmocka_unit_test(a_refusal_says_where_and_what_is_expected),
        cmocka_unit_test(a_text_cut_anywhere_is_refused),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
        cmocka_unit_test(a_nul_in_a_string_is_refused),
        cmocka_unit_test(every_control_character_in_a_string_is_refused),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(values_have_a_limit),
        cmocka_unit_test(a_repeated_name_is_refused),
        cmocka_unit_test(a_long_repeated_name_is_shortened_in_the_message),
        cmocka_unit_test(the_same_name_in_different_objects_is_no_repeat),
        cmocka_unit_test(numbers_keep_their_own_text),
        cmocka_unit_test(integers_beyond_64_bits_are_clamped_to_64_bits),
        cmocka_unit_test(only_a_number_has_a_number_text),
        cmocka_unit_test(a_member_of_the_wrong_type_reads_as_absent),
        cmocka_unit_test(an_answer_keeps_the_order_of_its_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
