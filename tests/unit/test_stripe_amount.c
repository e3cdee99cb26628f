// Amounts at Stripe: what ours are in its minor units, and back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/require.h"
#include "provider/stripe/amount.h"

static const struct currency *find(const char *code)
{
    const struct currency *currency = currency_find(code);
    REQUIRE(currency != NULL);
    return currency;
}

static void most_amounts_are_the_same_at_stripe(void **state)
{
    (void)state;
    static const char *const three[] = {"BHD", "JOD", "KWD", "OMR", "TND"};
    for (int cents = 1; cents <= 10000; cents++) {
        assert_int_equal(stripe_amount_to(cents, find("USD")), cents);
    }
    for (size_t i = 0; i < COUNT_OF(three); i++) {
        assert_int_equal(stripe_amount_to(1500, find(three[i])), 1500);
    }
    assert_int_equal(stripe_amount_to(500, find("MGA")), 500);
}

static void isk_and_ugx_have_two_decimals_at_stripe(void **state)
{
    (void)state;
    static const char *const codes[] = {"ISK", "UGX"};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        const struct currency *currency = find(codes[i]);
        assert_int_equal(stripe_amount_to(5, currency), 500);
        int64_t amount_minor = 0;
        struct err err;
        assert_int_equal(stripe_amount_from(500, currency, &amount_minor, &err), OK);
        assert_int_equal(amount_minor, 5);
        assert_int_equal(stripe_amount_from(550, currency, &amount_minor, &err), ERR_VALIDATION);
        assert_int_equal(stripe_amount_from(5, currency, &amount_minor, &err), ERR_VALIDATION);
        assert_int_equal(amount_minor, 5);
    }
    assert_int_equal(stripe_amount_to(9999999999, find("ISK")), 999999999900);
}

// Walks every code there could be.
static void stripe_takes_the_largest_amount_of_every_currency(void **state)
{
    (void)state;
    for (int i = 0; i < 26 * 26 * 26; i++) {
        char code[4] = {(char)('A' + i / 676), (char)('A' + i / 26 % 26), (char)('A' + i % 26), '\0'};
        const struct currency *currency = currency_find(code);
        if (currency != NULL) {
            assert_in_range(stripe_amount_to(currency->minor_max, currency), currency->minor_max,
                            STRIPE_MINOR_MAX);
        }
    }
}

static void amounts_from_stripe_are_held_to_the_same_range(void **state)
{
    (void)state;
    static const int64_t refused[] = {-1, INT64_MIN, STRIPE_MINOR_MAX + 1, INT64_MAX};
    static const char *const codes[] = {"USD", "JPY", "KWD", "UGX"};
    for (size_t c = 0; c < COUNT_OF(codes); c++) {
        int64_t amount_minor = -7;
        struct err err;
        for (size_t i = 0; i < COUNT_OF(refused); i++) {
            assert_int_equal(stripe_amount_from(refused[i], find(codes[c]), &amount_minor, &err),
                             ERR_VALIDATION);
            assert_int_equal(amount_minor, -7);
        }
        assert_int_equal(stripe_amount_from(0, find(codes[c]), &amount_minor, &err), OK);
        assert_int_equal(amount_minor, 0);
    }
    int64_t amount_minor = 0;
    assert_int_equal(stripe_amount_from(STRIPE_MINOR_MAX, find("USD"), &amount_minor, NULL), OK);
    assert_int_equal(amount_minor, 999999999999);
}

// xorshift64: the same numbers on every run.
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void what_is_sent_reads_back_as_the_same_amount(void **state)
{
    (void)state;
    static const char *const codes[] = {"USD", "JPY", "KWD", "UGX", "ISK", "MGA", "IQD", "HUF"};
    uint64_t seed = 0x9e3779b97f4a7c15;
    for (int i = 0; i < 100000; i++) {
        const struct currency *currency = find(codes[next_random(&seed) % COUNT_OF(codes)]);
        int64_t scale = STRIPE_MINOR_MAX / currency->minor_max;
        uint64_t magnitude = UINT64_C(1) << next_random(&seed) % 41; // small and large amounts alike
        int64_t amount_minor = (int64_t)(next_random(&seed) % magnitude) % (currency->minor_max + 1);
        int64_t stripe_minor = stripe_amount_to(amount_minor, currency);
        assert_int_equal(stripe_minor, amount_minor * scale);
        int64_t back = -1;
        assert_int_equal(stripe_amount_from(stripe_minor, currency, &back, NULL), OK);
        assert_int_equal(back, amount_minor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_amounts_are_the_same_at_stripe),
        cmocka_unit_test(isk_and_ugx_have_two_decimals_at_stripe),
        cmocka_unit_test(stripe_takes_the_largest_amount_of_every_currency),
        cmocka_unit_test(amounts_from_stripe_are_held_to_the_same_range),
        cmocka_unit_test(what_is_sent_reads_back_as_the_same_amount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
