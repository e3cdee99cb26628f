// Scopes: names to bits and back.
#include "unit_test.h"

#include <string.h>

#include "domain/scopes.h"

static uint32_t parsed(const char *text)
{
    uint32_t scopes = 0;
    struct err err = {0};
    assert_int_equal(scopes_parse(text, &scopes, &err), OK);
    return scopes;
}

static void every_scope_is_its_name_and_back(void **state)
{
    (void)state;
    for (uint32_t bit = 1; bit <= SCOPE_ALL; bit <<= 1) {
        assert_int_equal(parsed(scope_name(bit)), bit);
    }
    assert_string_equal(scope_name(SCOPE_REFUNDS_WRITE), "refunds:write");
}

static void every_set_of_scopes_survives_its_text(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    for (uint32_t scopes = 1; scopes <= SCOPE_ALL; scopes++) {
        assert_int_equal(parsed(scopes_format(&arena, scopes)), scopes);
    }
    assert_string_equal(scopes_format(&arena, 0), "");
}

static void the_default_is_what_a_payment_walk_through_needs(void **state)
{
    (void)state;
    assert_int_equal(parsed(SCOPES_DEFAULT), SCOPE_PAYMENTS_READ | SCOPE_PAYMENTS_WRITE |
                                                 SCOPE_MERCHANT_READ | SCOPE_MERCHANT_WRITE |
                                                 SCOPE_WEBHOOKS_READ);
}

static void spaces_and_repeats_do_not_matter(void **state)
{
    (void)state;
    assert_int_equal(parsed(" audit:read ,\trefunds:read,audit:read "),
                     SCOPE_AUDIT_READ | SCOPE_REFUNDS_READ);
}

static void an_unknown_scope_is_named_beside_the_known_ones(void **state)
{
    (void)state;
    uint32_t scopes = 77;
    struct err err = {0};
    assert_int_equal(scopes_parse("payments:read,payments:delete", &scopes, &err), ERR_VALIDATION);
    assert_non_null(strstr(err.message, "'payments:delete'"));
    assert_non_null(strstr(err.message, "audit:read"));
    assert_int_equal(scopes, 77);
}

static void text_that_only_resembles_a_scope_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        ",",
                                        "payments:read,",
                                        ",payments:read",
                                        "payments",
                                        "payments:rea",
                                        "payments:readx",
                                        "PAYMENTS:READ",
                                        "payments:read;audit:read",
                                        "*",
                                        "all"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint32_t scopes;
        assert_int_equal(scopes_parse(texts[i], &scopes, NULL), ERR_VALIDATION);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scope_is_its_name_and_back),
        cmocka_unit_test(every_set_of_scopes_survives_its_text),
        cmocka_unit_test(the_default_is_what_a_payment_walk_through_needs),
        cmocka_unit_test(spaces_and_repeats_do_not_matter),
        cmocka_unit_test(an_unknown_scope_is_named_beside_the_known_ones),
        cmocka_unit_test(text_that_only_resembles_a_scope_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
