// Text: comparing, UTF-8, numbers, hex and base64; and error messages, which are cut between characters.
#include "unit_test.h"

#include <stdbool.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"

static void no_text_equals_only_no_text(void **state)
{
    (void)state;
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal(NULL, ""));
    assert_false(text_equal("", NULL));
    assert_true(text_equal("a", "a"));
    assert_false(text_equal("a", "A"));
    assert_true(text_equal_nocase(NULL, NULL));
    assert_false(text_equal_nocase("", NULL));
    assert_true(text_equal_nocase("Idempotency-Key", "idempotency-KEY"));
    assert_false(text_equal_nocase("ab", "abc"));
    assert_false(text_equal_nocase("[", "{")); // neighbours of the letters differ by the same bit
}

static void prefixes_and_suffixes_are_seen(void **state)
{
    (void)state;
    assert_true(text_starts_with("sk_live_1", "sk_"));
    assert_false(text_starts_with("sk", "sk_"));
    assert_true(text_starts_with("sk", ""));
    assert_true(text_ends_with("a.json", ".json"));
    assert_false(text_ends_with("json", ".json"));
    assert_true(text_ends_with("json", ""));
}

static void well_formed_utf8_is_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "a",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "seven77\xc3\xa9",
                                        "plain text of more than eight \xe2\x82\xac bytes"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_true(text_is_utf8(texts[i], strlen(texts[i])));
    }
    assert_true(text_is_utf8("a\0b", 3));
}

static void malformed_utf8_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    static const char *const texts[] = {"\x80",
                                        "\xbf",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xc2",
                                        "\xc2\x41",
                                        "\xe0\x80\x80",
                                        "\xe0\x9f\xbf",
                                        "\xe2\x82",
                                        "\xed\xa0\x80",
                                        "\xed\xbf\xbf",
                                        "\xf0\x80\x80\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf0\x90\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xf8\x88\x80\x80\x80",
                                        "\xfe",
                                        "\xff"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        for (size_t before = 0; before < 20; before++) {
            char text[40];
            memset(text, 'a', sizeof text);
            memcpy(text + before, texts[i], strlen(texts[i]));
            assert_false(text_is_utf8(text, sizeof text));
            assert_false(text_is_utf8(text, before + strlen(texts[i])));
        }
    }
}

static void a_cut_never_halves_a_character(void **state)
{
    (void)state;
    static const char text[] =
        "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xb3z"; // characters of 1, 2, 3, 4 and 1 bytes
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t most = 0; most < COUNT_OF(cuts); most++) {
        assert_int_equal(text_cut(text, strlen(text), most), cuts[most]);
    }
}

static const uint8_t card[] = {0xf0, 0x9f, 0x92, 0xb3}; // a character of four bytes

static void a_long_error_message_is_cut_between_characters(void **state)
{
    (void)state;
    char long_text[400] = {0};
    for (size_t shift = 0; shift < 4; shift++) {
        memset(long_text, 'x', shift);
        for (size_t at = shift; at + 4 < sizeof long_text; at += 4) {
            memcpy(long_text + at, card, sizeof card);
        }
        struct err err;
        assert_int_equal(err_set(&err, ERR_IO, "%s", long_text), ERR_IO);
        size_t bytes = strlen(err.message);
        assert_in_range(bytes, ERR_MESSAGE_MAX - 4, ERR_MESSAGE_MAX - 1);
        assert_true(text_is_utf8(err.message, bytes));
    }
}

static void an_error_message_may_be_built_from_itself(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(err_set(&err, ERR_IO, "the disk is full"), ERR_IO);
    assert_int_equal(err_set(&err, ERR_STORE, "cannot commit: %s", err.message), ERR_STORE);
    assert_string_equal(err.message, "cannot commit: the disk is full");
    assert_int_equal(err.code, ERR_STORE);
    assert_int_equal(err_set(NULL, ERR_STORE, "not kept"), ERR_STORE);
}

static void letters_change_case_and_white_space_is_trimmed(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    assert_string_equal(text_lower(&arena, "USD @[`{ \xc3\x89"), "usd @[`{ \xc3\x89");
    assert_string_equal(text_upper(&arena, "usd @[`{ \xc3\xa9"), "USD @[`{ \xc3\xa9");
    assert_string_equal(text_trim(&arena, " \t a b\r\n"), "a b");
    assert_string_equal(text_trim(&arena, " \n "), "");
    assert_string_equal(text_trim(&arena, ""), "");
}

static void whole_numbers_up_to_63_bits_are_read(void **state)
{
    (void)state;
    int64_t value = -1;
    assert_int_equal(text_to_i64("0", &value, NULL), OK);
    assert_int_equal(value, 0);
    assert_int_equal(text_to_i64("9223372036854775807", &value, NULL), OK);
    assert_true(value == INT64_MAX);
    assert_int_equal(text_to_i64("007", &value, NULL), OK);
    assert_int_equal(value, 7);
}

static void anything_else_is_no_whole_number(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " 1",
                                        "1 ",
                                        "+1",
                                        "-1",
                                        "1.0",
                                        "1e3",
                                        "0x10",
                                        "9223372036854775808",
                                        "92233720368547758070",
                                        "\xd9\xa1"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int64_t value = -7;
        struct err err = {0};
        assert_int_equal(text_to_i64(texts[i], &value, &err), ERR_VALIDATION);
        assert_int_equal(value, -7);
        assert_true(err.message[0] != '\0');
    }
    int64_t value = -7;
    assert_int_equal(text_to_i64(NULL, &value, NULL), ERR_VALIDATION);
}

static void whole_numbers_are_written(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *text;
    } numbers[] = {{0, "0"},
                   {7, "7"},
                   {10, "10"},
                   {-1, "-1"},
                   {-1200, "-1200"},
                   {INT64_MAX, "9223372036854775807"},
                   {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char out[TEXT_I64_BYTES];
        assert_int_equal(text_from_i64(numbers[i].value, out), strlen(numbers[i].text));
        assert_string_equal(out, numbers[i].text);
    }
}

static void hex_is_lower_case(void **state)
{
    (void)state;
    char out[9];
    text_hex("\x00\x9f\xab\xff", 4, out);
    assert_string_equal(out, "009fabff");
    text_hex("", 0, out);
    assert_string_equal(out, "");
}

static void hex_reads_back_and_nothing_else_does(void **state)
{
    (void)state;
    uint8_t out[4];
    assert_true(text_hex_decode("009fabff", 8, out, 4));
    assert_memory_equal(out, "\x00\x9f\xab\xff", 4);
    static const char *const wrong[] = {"009fabf",  "009fabff0", "009FABFF",
                                        "009fabfg", "0x9fabff",  " 09fabff"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(text_hex_decode(wrong[i], strlen(wrong[i]), out, 4));
    }
}

// RFC 4648 section 10.
static void base64_agrees_with_its_rfc(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        char out[8] = {0};
        size_t bytes = 99;
        assert_string_equal(text_base64(&arena, pairs[i][0], strlen(pairs[i][0])), pairs[i][1]);
        assert_int_equal(text_base64_decode(pairs[i][1], out, sizeof out, &bytes, NULL), OK);
        assert_int_equal(bytes, strlen(pairs[i][0]));
        assert_string_equal(out, pairs[i][0]);
    }
}

static void every_byte_survives_base64(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    uint8_t in[256];
    uint8_t out[256];
    for (size_t i = 0; i < sizeof in; i++) {
        in[i] = (uint8_t)i;
    }
    for (size_t count = 0; count <= sizeof in; count++) {
        size_t bytes = 0;
        const char *text = text_base64(&arena, in, count);
        assert_int_equal(text_base64_decode(text, out, count, &bytes, NULL), OK); // just room enough
        assert_int_equal(bytes, count);
        assert_memory_equal(in, out, count);
    }
}

static void malformed_base64_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"Z",        "Zg",    "Zg=",    "Zm8",  "=",    "====", "Z===",
                                        "Zg==Zg==", "Zm=v",  "Zm9v\n", "Zm 9", "Zm-v", "Zm_v",
                                        "Zh==", // bits that encoding never sets
                                        "Zm9=",     "Zm9v=", "Zg=a"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        uint8_t out[16];
        size_t bytes = 99;
        struct err err = {0};
        assert_int_equal(text_base64_decode(texts[i], out, sizeof out, &bytes, &err), ERR_VALIDATION);
        assert_int_equal(bytes, 99);
    }
}

static void base64_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    uint8_t out[6] = {[5] = 0x55};
    size_t bytes = 99;
    struct err err = {0};
    assert_int_equal(text_base64_decode("Zm9vYmFy", out, 5, &bytes, &err), ERR_VALIDATION);
    assert_int_equal(out[5], 0x55);
    assert_int_equal(bytes, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_text_equals_only_no_text),
        cmocka_unit_test(prefixes_and_suffixes_are_seen),
        cmocka_unit_test(well_formed_utf8_is_taken),
        cmocka_unit_test(malformed_utf8_is_refused_wherever_it_stands),
        cmocka_unit_test(a_cut_never_halves_a_character),
        cmocka_unit_test(a_long_error_message_is_cut_between_characters),
        cmocka_unit_test(an_error_message_may_be_built_from_itself),
        cmocka_unit_test(letters_change_case_and_white_space_is_trimmed),
        cmocka_unit_test(whole_numbers_up_to_63_bits_are_read),
        cmocka_unit_test(anything_else_is_no_whole_number),
        cmocka_unit_test(whole_numbers_are_written),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(hex_reads_back_and_nothing_else_does),
        cmocka_unit_test(base64_agrees_with_its_rfc),
        cmocka_unit_test(every_byte_survives_base64),
        cmocka_unit_test(malformed_base64_is_refused),
        cmocka_unit_test(base64_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
