// Folding e-mail addresses: which spellings are one address, and which are not.
#include "unit_test.h"

#include <stdbool.h>
#include <string.h>

#include "base/require.h"
#include "domain/email.h"

struct pair {
    const char *a, *b;
};

static bool are_one(const struct pair *pair)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    return strcmp(email_fold(&arena, pair->a), email_fold(&arena, pair->b)) == 0;
}

static void spellings_of_one_address_are_one(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"User@Example.COM", "user@example.com"},
        {"J\u00d6RG@example.com", "j\u00f6rg@example.com"},
        {"jo\u0308rg@example.com", "j\u00f6rg@example.com"}, // decomposed
        {"JO\u0308RG@EXAMPLE.com", "j\u00f6rg@example.com"},
        {"\u0410\u0411@example.com", "\u0430\u0431@example.com"},
        {"user@M\u00dcller.example", "user@xn--mller-kva.example"},
        {"user@mu\u0308ller.example", "user@XN--MLLER-KVA.example"},
        {"user@b\u00fccher\u3002example", "user@b\u00fccher.example"}, // the ideographic full stop
        {"user@\uff45xample.com", "user@example.com"},                 // a full-width letter
        {"\u00d6@M\u00dcLLER.example", "\u00f6@xn--mller-kva.example"},
        {"user@\u04c0.example", "user@\u04cf.example"}, // the capital is forbidden in a domain name
        {"\u00d6\"@\"@Example.com", "\u00f6\"@\"@example.com"},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if (!are_one(&pairs[i])) {
            fail_msg("%s and %s", pairs[i].a, pairs[i].b);
        }
    }
}

static void other_addresses_stay_apart(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"stra\u00dfe@example.com", "strasse@example.com"},
        {"user@stra\u00dfe.example", "user@strasse.example"},
        {"jorg@example.com", "j\u00f6rg@example.com"},
        {"a.b@example.com", "ab@example.com"},
        {"a+b@example.com", "a@example.com"},
        {"\uff41@example.com", "a@example.com"},
        {"user@m\u00fcller.example", "user@muller.example"},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if (are_one(&pairs[i])) {
            fail_msg("%s and %s", pairs[i].a, pairs[i].b);
        }
    }
}

static void ascii_stored_before_is_folded_as_it_was(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    assert_string_equal(email_fold(&arena, "User+Tag@EXAMPLE.com"), "user+tag@example.com");
    assert_string_equal(email_fold(&arena, "a_b@under_score..Example"), "a_b@under_score..example");
    assert_string_equal(email_fold(&arena, "A@XN--MLLER-KVA.de"), "a@xn--mller-kva.de");
    assert_string_equal(email_fold(&arena, "@"), "@");
    assert_string_equal(email_fold(&arena, ""), "");
}

static void text_that_is_no_domain_is_lowered_all_the_same(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    assert_string_equal(email_fold(&arena, "A@-\u00dc-.X"), "a@-\u00fc-.x");
    assert_string_equal(email_fold(&arena, "\u00dc@"), "\u00fc@");
    assert_string_equal(email_fold(&arena, "\u00dc"), "\u00fc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_address_are_one),
        cmocka_unit_test(other_addresses_stay_apart),
        cmocka_unit_test(ascii_stored_before_is_folded_as_it_was),
        cmocka_unit_test(text_that_is_no_domain_is_lowered_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
