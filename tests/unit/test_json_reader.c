// What json_read keeps of a text. What it refuses is in test_json_refused.c.
#include "json_fixture.h"

#include "base/json_reader.h"

static const struct json_value *read(struct arena *arena, const char *text)
{
    const struct json_value *value = NULL;
    struct err err = {0};
    if (json_read(arena, text, strlen(text), JSON_VALUES_MAX, &value, &err) != OK) {
        fail_msg("'%.60s' is refused: %s", text, err.message);
    }
    return value;
}

static void values_are_found_by_their_names(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct json_value *object =
        read(&arena,
             " { \"none\" : null , \"text\":\"a\",\"\":\"no name\", \"in\":{\"text\":\"b\",\"list\":[1,[2,3],"
             "{\"x\":4}]} ,\"no\":false, \"yes\":true,\"number\":10.00,\"integer\":-12} ");
    assert_true(json_is(object, JSON_OBJECT));
    assert_int_equal(object->count, 8);
    assert_string_equal(json_read_str(object, "text"), "a");
    assert_string_equal(json_read_str(object, ""), "no name");
    assert_string_equal(json_read_str(json_read_member(object, "in"), "text"), "b");
    assert_true(json_read_bool(object, "yes", false));
    assert_false(json_read_bool(object, "no", true));
    assert_int_equal(json_read_i64(object, "integer", 7), -12);
    assert_string_equal(json_read_member(object, "number")->text, "10.00");
    assert_true(json_is(json_find(object, "none"), JSON_NULL));
    assert_null(json_read_member(object, "none"));
    assert_null(json_find(object, "x"));
}

static void a_value_of_another_kind_reads_as_absent(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct json_value *object = read(&arena, "{\"null\":null,\"text\":\"1\",\"number\":1,\"real\":1.0,"
                                                   "\"power\":1e2,\"list\":[true],\"true\":true}");
    for (const struct json_value *each = json_first(object); each != NULL; each = json_next(object, each)) {
        assert_int_equal(json_read_i64(object, each->name, 7), strcmp(each->name, "number") == 0 ? 1 : 7);
        assert_true((json_read_str(object, each->name) != NULL) == (strcmp(each->name, "text") == 0));
        assert_int_equal(json_read_bool(object, each->name, false), strcmp(each->name, "true") == 0);
        assert_null(json_read_str(each, "text"));
    }
    assert_null(json_read_str(NULL, "text"));
    assert_int_equal(json_read_i64(NULL, "number", 7), 7);
    assert_true(json_read_bool(NULL, "true", true));
    assert_null(json_first(NULL));
    assert_false(json_is(NULL, JSON_NULL));
}

static void items_come_in_their_order(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct json_value *list = read(&arena, "[[],\"a\",{\"b\":[1,{}]},[[[2]]],3]");
    static const enum json_kind kinds[] = {JSON_ARRAY, JSON_STRING, JSON_OBJECT, JSON_ARRAY, JSON_NUMBER};
    static const size_t extents[] = {1, 1, 4, 4, 1};
    size_t i = 0;
    for (const struct json_value *each = json_first(list); each != NULL; each = json_next(list, each)) {
        assert_int_equal(each->kind, kinds[i]);
        assert_int_equal(each->extent, extents[i]);
        assert_null(each->name);
        i++;
    }
    assert_int_equal(i, 5);
    assert_null(json_first(read(&arena, "[]")));
    assert_null(json_first(read(&arena, "{}")));
}

static void escapes_become_what_they_say(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    static const struct {
        const char *text;
        const char *says;
    } strings[] = {
        {"\"\"", ""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0001\\u007f\\u0080\\u07FF\\u0800\\uffff\"",
         "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
        {"\"\\ud83d\\udcb3\\uD800\\uDC00\\uDBFF\\uDFFF\"",
         "\xf0\x9f\x92\xb3\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        {"\"\\ud83d\"", "\xef\xbf\xbd"}, // half of a pair
        {"\"\\udcb3a\"", "\xef\xbf\xbd\x61"},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
        {"\"\\ud83d\\ud83d\\udcb3\"", "\xef\xbf\xbd\xf0\x9f\x92\xb3"},
        {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd\x41"},
        {"\"caf\xc3\xa9 \\u20ac\"", "caf\xc3\xa9 \xe2\x82\xac"},
    };
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        assert_string_equal(read(&arena, strings[i].text)->text, strings[i].says);
    }
    const struct json_value *object = read(&arena, "{\"\\u0061\\n\":1}");
    assert_int_equal(json_read_i64(object, "a\n", 0), 1);
}

static void integers_keep_their_value(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    static const struct {
        const char *text;
        int64_t value;
    } integers[] = {
        {"0", 0},
        {"-0", 0},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9223372036854775808", INT64_MAX},
        {"-9223372036854775809", INT64_MIN},
        {"123456789012345678901234567890", INT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        const struct json_value *object = read(&arena, arena_printf(&arena, "{\"a\":%s}", integers[i].text));
        assert_int_equal(json_read_i64(object, "a", 7), integers[i].value);
        assert_string_equal(json_find(object, "a")->text, integers[i].text);
    }
}

static void numbers_keep_their_own_text(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    static const char *const texts[] = {"10.00",
                                        "0.1",
                                        "-0.0",
                                        "1e400",
                                        "1E+2",
                                        "0.000000000000000000000000000001",
                                        "12345678901234567890.123456789",
                                        "123456789012345678901234567890"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct json_value *number = read(&arena, texts[i]);
        assert_true(json_is(number, JSON_NUMBER));
        assert_string_equal(number->text, texts[i]);
    }
}

// While the values are read, their array moves.
static void thousands_of_values_are_kept(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    BUF_CLEANUP struct buf text = BUF_MAX(1000000);
    for (size_t i = 0; i < 6000; i++) {
        buf_printf(&text, "%s\"n%zu\":[%zu]", i == 0 ? "{" : ",", i, i);
    }
    buf_add_str(&text, "}");
    const struct json_value *object = read(&arena, buf_str(&text));
    assert_int_equal(object->count, 6000);
    assert_int_equal(object->extent, 12001);
    size_t i = 0;
    for (const struct json_value *each = json_first(object); each != NULL; each = json_next(object, each)) {
        char expected[16];
        (void)snprintf(expected, sizeof(expected), "%zu", i);
        assert_string_equal(each->name + 1, expected);
        assert_string_equal(json_first(each)->text, expected);
        i++;
    }
    assert_int_equal(i, 6000);
}

// However many names share a hash, the first that repeats another in the text is named.
static void the_first_repeated_name_is_named(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf text = BUF_MAX(1000000);
    for (size_t i = 0; i < 9000; i++) {
        buf_printf(&text, "%s\"n%zu\":%s", i == 0 ? "{" : ",", i, i == 8000 ? "{\"b\":0,\"b\":0}" : "0");
    }
    size_t place = text.len + 2;
    buf_add_str(&text, ",\"n17\":0,\"n16\":0}");
    assert_refused(buf_str(&text), text.len, "the name \"b\" is repeated");
    memcpy(strstr(text.data, "{\"b\"") + 2, "c", 1);
    char because[80];
    (void)snprintf(because, sizeof(because), "the name \"n17\" is repeated at line 1, column %zu", place);
    assert_refused(buf_str(&text), text.len, because);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_their_names),
        cmocka_unit_test(a_value_of_another_kind_reads_as_absent),
        cmocka_unit_test(items_come_in_their_order),
        cmocka_unit_test(escapes_become_what_they_say),
        cmocka_unit_test(integers_keep_their_value),
        cmocka_unit_test(numbers_keep_their_own_text),
        cmocka_unit_test(thousands_of_values_are_kept),
        cmocka_unit_test(the_first_repeated_name_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
