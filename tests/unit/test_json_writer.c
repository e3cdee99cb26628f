// JSON as it is written: every byte as json-c writes the same value, whose text stored answers and the hashes
// of idempotent requests have.
#include "json_fixture.h"

#include "base/buf.h"
#include "base/json_writer.h"
#include "base/timefmt.h"

#define RANDOM_STRINGS 2000

static void assert_written_as_json_c(const char *text)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    JSON_CLEANUP struct json_object *object = json_new_object();
    json_add_str(object, text, text);
    struct json_writer json = json_writer(&arena);
    json_open_object(&json, NULL);
    json_write_str(&json, text, text);
    assert_string_equal(json_finish(&json), json_text(&arena, object));
}

static void every_byte_is_written_as_json_c_writes_it(void **state)
{
    (void)state;
    assert_written_as_json_c("");
    for (int byte = 1; byte < 256; byte++) {
        assert_written_as_json_c((const char[]){(char)byte, '\0'});
        assert_written_as_json_c((const char[]){'a', (char)byte, 'b', (char)byte, (char)byte, '\0'});
    }
}

// Also text that is not UTF-8: it stays as it is.
static void strings_are_written_as_json_c_writes_them(void **state)
{
    (void)state;
    static char text[3000];
    uint32_t seed = 1;
    for (size_t i = 0; i < RANDOM_STRINGS; i++) {
        size_t length = i % 100 == 0 ? i : i % 50;
        for (size_t at = 0; at < length; at++) {
            seed = seed * 1664525 + 1013904223;
            text[at] = (char)(1 + (seed >> 24) % 255);
        }
        text[length] = '\0';
        assert_written_as_json_c(text);
    }
}

static void control_characters_have_the_escapes_of_rfc_8259(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct json_writer json = json_writer(&arena);
    json_write_str(&json, NULL, "\x01\b\t\n\x0b\f\r\x1f \"\\/\x7f\xff\xc3\xa9");
    assert_string_equal(json_finish(&json),
                        "\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\x7f\xff\xc3\xa9\"");
}

static void values_follow_each_other_with_commas(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct uuid id = {{0x01, 0x90, 0xab, [15] = 0xff}};
    struct json_writer json = json_writer(&arena);
    json_open_object(&json, NULL);
    json_open_object(&json, "empty");
    json_close(&json);
    json_open_array(&json, "list");
    json_open_array(&json, NULL);
    json_close(&json);
    json_write_i64(&json, NULL, 1);
    json_open_object(&json, NULL);
    json_write_bool(&json, "true", true);
    json_write_bool(&json, "false", false);
    json_close(&json);
    json_write_str(&json, NULL, NULL);
    json_close(&json);
    json_write_null(&json, "null");
    json_write_uuid(&json, "no id", NULL);
    json_write_uuid(&json, "id", &id);
    json_write_time(&json, "at", INT64_C(1735732800) * US_PER_S);
    json_write_json(&json, "metadata", "{\"a\":\"b\"}");
    json_close(&json);
    assert_string_equal(
        json_finish(&json),
        "{\"empty\":{},\"list\":[[],1,{\"true\":true,\"false\":false},null],\"null\":null,\"no id\":null,"
        "\"id\":\"0190ab00-0000-0000-0000-0000000000ff\",\"at\":\"2025-01-01T12:00:00Z\","
        "\"metadata\":{\"a\":\"b\"}}");
}

static void numbers_are_written_in_full(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct json_writer json = json_writer(&arena);
    json_open_array(&json, NULL);
    json_write_i64(&json, NULL, 0);
    json_write_i64(&json, NULL, -1);
    json_write_i64(&json, NULL, 10);
    json_write_i64(&json, NULL, INT64_MAX);
    json_write_i64(&json, NULL, INT64_MIN);
    assert_string_equal(json_finish(&json), "[0,-1,10,9223372036854775807,-9223372036854775808]");
}

static void all_that_is_open_is_closed_at_the_end(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct json_writer json = json_writer(&arena);
    BUF_CLEANUP struct buf expected = BUF_MAX(1024);
    for (unsigned depth = 0; depth < JSON_WRITER_DEPTH_MAX; depth += 2) {
        json_open_array(&json, depth == 0 ? NULL : "a");
        json_open_object(&json, NULL);
        buf_add_str(&expected, depth == 0 ? "[{" : "\"a\":[{");
    }
    for (unsigned depth = 0; depth < JSON_WRITER_DEPTH_MAX; depth += 2) {
        buf_add_str(&expected, "}]");
    }
    assert_string_equal(json_finish(&json), buf_str(&expected));
}

// Whatever is allocated in the arena while the text grows.
static void a_long_text_keeps_its_beginning(void **state)
{
    (void)state;
    for (size_t others = 0; others < 3; others++) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        BUF_CLEANUP struct buf expected = BUF_MAX(1000000);
        struct json_writer json = json_writer(&arena);
        json_open_array(&json, NULL);
        for (int64_t i = 0; i < 20000; i++) {
            json_write_i64(&json, NULL, i);
            buf_printf(&expected, "%s%lld", i == 0 ? "[" : ",", (long long)i);
            if (others > 0 && (size_t)i % (others * 100) == 0) {
                memset(arena_alloc(&arena, 24), 0xff, 24);
            }
        }
        buf_add_str(&expected, "]");
        assert_string_equal(json_finish(&json), buf_str(&expected));
    }
}

static void room_that_is_made_at_once_is_not_moved(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct json_writer json = json_writer(&arena);
    json_open_array(&json, NULL);
    json_reserve(&json, 2 * 20000);
    const char *text = json.text;
    for (int i = 0; i < 20000; i++) {
        json_write_i64(&json, NULL, 1);
    }
    assert_ptr_equal(json_finish(&json), text);
    assert_int_equal(strlen(text), 2 * 20000 + 1);
}

// Stored answers are put together from what is kept: it has to be what was written.
static void what_is_written_is_read_again(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct json_writer json = json_writer(&arena);
    json_open_object(&json, NULL);
    json_write_str(&json, "\"\\\n", "\x1f\"\\\xe2\x82\xac");
    const char *text = json_finish(&json);
    assert_reads_as(text, text);
    JSON_CLEANUP struct json_object *read = parse(text);
    assert_string_equal(json_get_str(read, "\"\\\n"), "\x1f\"\\\xe2\x82\xac");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_written_as_json_c_writes_it),
        cmocka_unit_test(strings_are_written_as_json_c_writes_them),
        cmocka_unit_test(control_characters_have_the_escapes_of_rfc_8259),
        cmocka_unit_test(values_follow_each_other_with_commas),
        cmocka_unit_test(numbers_are_written_in_full),
        cmocka_unit_test(all_that_is_open_is_closed_at_the_end),
        cmocka_unit_test(a_long_text_keeps_its_beginning),
        cmocka_unit_test(room_that_is_made_at_once_is_not_moved),
        cmocka_unit_test(what_is_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
