// JSON input that is accepted, what is kept of it, and how JSON is written.
#include "json_fixture.h"

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

static void the_same_name_in_different_objects_is_no_repeat(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":{\"a\":[{\"a\":1},{\"a\":\"a\"}]},\"A\":2,\"a \":3,\"b\":{\"a\":4}}";
    assert_reads_as(text, text);
}

static void numbers_keep_their_own_text(void **state)
{
    (void)state;
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
        assert_reads_as(texts[i], texts[i]);
        char list[80];
        (void)snprintf(list, sizeof list, "[%s]", texts[i]);
        assert_reads_as(list, list);
    }
}

// "[{},{},...]" with this many values, including the list itself.
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
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(values_have_a_limit),
        cmocka_unit_test(the_same_name_in_different_objects_is_no_repeat),
        cmocka_unit_test(numbers_keep_their_own_text),
        cmocka_unit_test(a_member_of_the_wrong_type_reads_as_absent),
        cmocka_unit_test(an_answer_keeps_the_order_of_its_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
