// The log: one JSON object a line and one write a line, whatever it is given.
#include "unit_test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log_capture.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"

// The one line that `level` and `fields` make, parsed.
static struct json_object *line_of(const char *message, const struct log_field *fields, size_t count)
{
    BUF_CLEANUP struct buf text = BUF_MAX(100000);
    struct capture capture = capture_start();
    log_write(LOG_WARN, message, fields, count);
    capture_end(&capture, &text);
    struct json_object *line = NULL;
    struct err err = {0};
    assert_ptr_equal(strchr(buf_str(&text), '\n'), buf_str(&text) + text.len - 1);
    if (json_parse(buf_str(&text), text.len, &line, &err) != OK) {
        fail_msg("%s: %s", err.message, buf_str(&text));
    }
    return line;
}

static void a_line_holds_time_level_message_and_fields(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct log_field fields[] = {
        LOG_STR("request_id", "r-1"),
        LOG_INT("count", INT64_MIN),
        LOG_STR("none", NULL),
    };
    JSON_CLEANUP struct json_object *line = line_of("delivery failed", fields, COUNT_OF(fields));
    int64_t time_us = 0;
    assert_int_equal(time_parse(json_get_str(line, "time"), &time_us, NULL), OK);
    json_object_object_del(line, "time");
    assert_string_equal(json_text(&arena, line),
                        "{\"level\":\"warn\",\"message\":\"delivery failed\","
                        "\"request_id\":\"r-1\",\"count\":-9223372036854775808,\"none\":\"\"}");
}

static void the_macro_takes_any_number_of_fields(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf text = BUF_MAX(100000);
    struct capture capture = capture_start();
    LOG(LOG_INFO, "none");
    LOG(LOG_INFO, "two", LOG_INT("a", 1), LOG_STR("b", "2"));
    capture_end(&capture, &text);
    assert_non_null(strstr(buf_str(&text), "\"message\":\"none\"}\n"));
    assert_non_null(strstr(buf_str(&text), "\"message\":\"two\",\"a\":1,\"b\":\"2\"}\n"));
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf text = BUF_MAX(100000);
    struct capture capture = capture_start();
    LOG(LOG_DEBUG, "unseen by default");
    log_set_level(LOG_ERROR);
    LOG(LOG_WARN, "unseen");
    LOG(LOG_ERROR, "an error");
    log_set_level(LOG_DEBUG);
    LOG(LOG_DEBUG, "a detail");
    log_set_level(LOG_INFO);
    capture_end(&capture, &text);
    assert_null(strstr(buf_str(&text), "unseen"));
    assert_non_null(strstr(buf_str(&text), "an error"));
    assert_non_null(strstr(buf_str(&text), "a detail"));
}

static void nothing_given_can_forge_a_line_or_drive_a_terminal(void **state)
{
    (void)state;
    char all[256];
    for (int i = 1; i < 256; i++) {
        all[i - 1] = (char)i;
    }
    all[255] = '\0';
    const struct log_field fields[] = {LOG_STR("all", all), LOG_STR("c1", "a\302\233b"),
                                       LOG_STR("\"\n", "name")};
    BUF_CLEANUP struct buf text = BUF_MAX(100000);
    struct capture capture = capture_start();
    log_write(LOG_INFO, "a\nb", fields, COUNT_OF(fields));
    capture_end(&capture, &text);
    for (size_t i = 0; i < text.len - 1; i++) {
        assert_in_range((unsigned char)text.data[i], 0x20, 0x7e);
    }
    JSON_CLEANUP struct json_object *line = line_of("a\nb", fields, COUNT_OF(fields));
    assert_string_equal(json_get_str(line, "message"), "a\nb");
    assert_string_equal(json_get_str(line, "c1"), "a\302\233b");
    assert_string_equal(json_get_str(line, "\"\n"), "name");
    assert_memory_equal(json_get_str(line, "all"), all, 0x7f);
    assert_memory_equal(json_get_str(line, "all") + 0x7f, "\xef\xbf\xbd\xef\xbf\xbd", 6);
}

static const uint8_t card[] = {0xf0, 0x9f, 0x92, 0xb3}; // a character of four bytes

static void a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        char text[1001] = {0};
        memset(text, 'x', shift);
        for (size_t at = shift; at + 4 < sizeof text; at += 4) {
            memcpy(text + at, card, sizeof card);
        }
        JSON_CLEANUP struct json_object *line = line_of("m", (struct log_field[]){LOG_STR("text", text)}, 1);
        const char *kept = json_get_str(line, "text");
        assert_in_range(strlen(kept), 497, 500);
        assert_memory_equal(kept, text, strlen(kept));
    }
}

static void a_line_with_too_many_fields_is_whole_all_the_same(void **state)
{
    (void)state;
    char text[501];
    memset(text, '\x01', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct log_field fields[10];
    char names[10][4];
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        (void)snprintf(names[i], sizeof names[i], "f%zu", i);
        fields[i] = LOG_STR(names[i], text);
    }
    fields[9] = LOG_INT(names[9], 9);
    JSON_CLEANUP struct json_object *line = line_of("m", fields, COUNT_OF(fields));
    assert_string_equal(json_get_str(line, "f0"), text);
    assert_null(json_get(line, "f8"));
    assert_int_equal(json_get_i64(line, "f9", -1), 9); // what still fits is kept
}

#define THREADS 4
#define LINES_EACH 500

static void *write_lines(void *unused)
{
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < LINES_EACH; i++) {
        LOG(LOG_INFO, "line", LOG_STR("text", text), LOG_INT("i", i));
    }
    return unused;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf text = BUF_MAX(10000000);
    struct capture capture = capture_start();
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, write_lines, NULL) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    capture_end(&capture, &text);
    size_t lines = 0;
    for (const char *at = buf_str(&text); *at != '\0'; lines++) {
        const char *end = strchr(at, '\n');
        assert_non_null(end);
        JSON_CLEANUP struct json_object *line = NULL;
        assert_int_equal(json_parse(at, (size_t)(end - at), &line, NULL), OK);
        at = end + 1;
    }
    assert_int_equal(lines, THREADS * LINES_EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_holds_time_level_message_and_fields),
        cmocka_unit_test(the_macro_takes_any_number_of_fields),
        cmocka_unit_test(lines_below_the_level_are_dropped),
        cmocka_unit_test(nothing_given_can_forge_a_line_or_drive_a_terminal),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(a_line_with_too_many_fields_is_whole_all_the_same),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
