// Forms: what Stripe's clients would send, and that whatever is encoded decodes to itself.
#include "unit_test.h"

#include <string.h>

#include "base/require.h"
#include "net/form.h"

static void names_keep_their_brackets_and_values_are_escaped(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf form = BUF_MAX(1000);
    form_add(&form, "metadata[order id]", "a&b=c+d [1]/\xc3\xa9~-._");
    form_add_i64(&form, "amount", 1000);
    form_add_i64(&form, "least", INT64_MIN);
    form_add(&form, "empty", "");
    assert_string_equal(buf_str(&form),
                        "metadata[order%20id]=a%26b%3Dc%2Bd%20%5B1%5D%2F%C3%A9~-._&amount=1000"
                        "&least=-9223372036854775808&empty=");
}

static enum errc parse(struct arena *arena, const char *text, struct form *form, struct err *err)
{
    return form_parse(text, strlen(text), arena, form, err);
}

static void fields_are_decoded_in_order(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct form form;
    assert_int_equal(parse(&arena, "a=1+2&b%5Bc%5d=%C3%A9&flag&&a=second&=nameless&x=y=z", &form, NULL), OK);
    static const struct form_field expected[] = {
        {"a", "1 2"}, {"b[c]", "\xc3\xa9"}, {"flag", ""}, {"a", "second"}, {"", "nameless"}, {"x", "y=z"},
    };
    assert_int_equal(form.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_string_equal(form.fields[i].name, expected[i].name);
        assert_string_equal(form.fields[i].value, expected[i].value);
    }
    assert_string_equal(form_get(&form, "a"), "1 2");
    assert_null(form_get(&form, "absent"));
}

static void an_empty_text_has_no_fields(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct form form = {.count = 3};
    assert_int_equal(parse(&arena, "", &form, NULL), OK);
    assert_int_equal(form.count, 0);
}

static void every_character_survives_the_way_out_and_back(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    BUF_CLEANUP struct buf text = BUF_MAX(4000);
    char all[128];
    for (int i = 1; i < 128; i++) {
        all[i - 1] = (char)i;
    }
    all[127] = '\0';
    form_add(&text, all, all);
    struct form form;
    assert_int_equal(form_parse(text.data, text.len, &arena, &form, NULL), OK);
    assert_int_equal(form.count, 1);
    assert_string_equal(form.fields[0].name, all);
    assert_string_equal(form.fields[0].value, all);
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"a=%",   "a=%1",   "a=%g1",     "a=%1g",     "%=1",     "a=%00",
                                        "a=%ff", "a=\xc3", "a%c0%80=1", "a=%4&b1=2", "a=b&c=%2"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        struct form form = {.count = 3};
        struct err err = {0};
        assert_int_equal(parse(&arena, texts[i], &form, &err), ERR_BAD_REQUEST);
        assert_int_equal(err.code, ERR_BAD_REQUEST);
        assert_int_equal(form.count, 3);
    }
}

static void a_raw_nul_is_refused(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct form form;
    assert_int_equal(form_parse("a=b\0c", 5, &arena, &form, NULL), ERR_BAD_REQUEST);
}

static void the_text_ends_where_its_length_says(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct form form;
    struct err err;
    assert_int_equal(form_parse("a=%41&b", 5, &arena, &form, NULL), OK);
    assert_int_equal(form.count, 1);
    assert_string_equal(form.fields[0].value, "A");
    assert_int_equal(form_parse("a=%41", 4, &arena, &form, &err), ERR_BAD_REQUEST);
}

static void the_number_of_fields_is_limited(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    BUF_CLEANUP struct buf text = BUF_MAX(10000);
    for (int i = 0; i < FORM_FIELDS_MAX; i++) {
        form_add_i64(&text, "n", i);
    }
    struct form form;
    struct err err;
    assert_int_equal(form_parse(text.data, text.len, &arena, &form, &err), OK);
    assert_int_equal(form.count, FORM_FIELDS_MAX);
    form_add_i64(&text, "n", 1);
    assert_int_equal(form_parse(text.data, text.len, &arena, &form, &err), ERR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_keep_their_brackets_and_values_are_escaped),
        cmocka_unit_test(fields_are_decoded_in_order),
        cmocka_unit_test(an_empty_text_has_no_fields),
        cmocka_unit_test(every_character_survives_the_way_out_and_back),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(a_raw_nul_is_refused),
        cmocka_unit_test(the_text_ends_where_its_length_says),
        cmocka_unit_test(the_number_of_fields_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
