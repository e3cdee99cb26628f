// JSON input that is refused, and what the message says.
#include "json_fixture.h"

#include "base/json_names.h"

static void text_that_is_not_json_is_refused(void **state)
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

static void anything_after_the_value_is_refused_at_its_position(void **state)
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

// Otherwise every answer of Stripe's would be checked by sorting its names.
static void the_names_of_a_payment_intent_share_no_bit(void **state)
{
    (void)state;
    static const char *const names[] = {"allowed_payment_method_types",
                                        "amount",
                                        "amount_capturable",
                                        "amount_details",
                                        "amount_received",
                                        "application",
                                        "application_fee_amount",
                                        "automatic_payment_methods",
                                        "canceled_at",
                                        "cancellation_reason",
                                        "capture_method",
                                        "charges",
                                        "client_secret",
                                        "confirmation_method",
                                        "created",
                                        "currency",
                                        "customer",
                                        "customer_account",
                                        "description",
                                        "excluded_payment_method_types",
                                        "id",
                                        "invoice",
                                        "last_payment_error",
                                        "latest_charge",
                                        "livemode",
                                        "managed_payments",
                                        "metadata",
                                        "next_action",
                                        "object",
                                        "on_behalf_of",
                                        "payment_method",
                                        "payment_method_configuration_details",
                                        "payment_method_options",
                                        "payment_method_types",
                                        "payment_record",
                                        "processing",
                                        "receipt_email",
                                        "review",
                                        "setup_future_usage",
                                        "shipping",
                                        "source",
                                        "statement_descriptor",
                                        "statement_descriptor_suffix",
                                        "status",
                                        "transfer_data",
                                        "transfer_group"};
    struct json_names seen = {0};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        json_names_add(&seen, names[i]);
    }
    assert_false(seen.shared);
    json_names_add(&seen, names[0]);
    assert_true(seen.shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_is_not_json_is_refused),
        cmocka_unit_test(malformed_numbers_are_refused),
        cmocka_unit_test(anything_after_the_value_is_refused_at_its_position),
        cmocka_unit_test(a_refusal_says_where_and_what_is_expected),
        cmocka_unit_test(a_text_cut_anywhere_is_refused),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
        cmocka_unit_test(a_nul_in_a_string_is_refused),
        cmocka_unit_test(every_control_character_in_a_string_is_refused),
        cmocka_unit_test(a_repeated_name_is_refused),
        cmocka_unit_test(a_long_repeated_name_is_shortened_in_the_message),
        cmocka_unit_test(the_names_of_a_payment_intent_share_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
