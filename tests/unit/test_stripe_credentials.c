// The forms of Stripe's keys, secrets and payment methods.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/require.h"
#include "provider/stripe/credentials.h"

static void a_secret_key_says_its_mode(void **state)
{
    (void)state;
    static const char *const test[] = {"sk_test_1", "rk_test_1"};
    static const char *const live[] = {"sk_live_1", "rk_live_1"};
    static const char *const others[] = {"",          "sk_test_", "pk_test_1", "sk_test_1 2", "sk_test_\x7f",
                                         " sk_test_1"};
    for (size_t i = 0; i < COUNT_OF(test); i++) {
        bool livemode = true;
        assert_true(stripe_is_secret_key(test[i], &livemode));
        assert_false(livemode);
        assert_true(stripe_is_secret_key(live[i], &livemode));
        assert_true(livemode);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        bool livemode = true;
        assert_false(stripe_is_secret_key(others[i], &livemode));
        assert_true(livemode); // untouched
    }
}

static void a_webhook_secret_has_its_prefix_and_more(void **state)
{
    (void)state;
    assert_true(stripe_is_webhook_secret("whsec_1"));
    assert_false(stripe_is_webhook_secret("whsec_"));
    assert_false(stripe_is_webhook_secret("whsec_1\n"));
    assert_false(stripe_is_webhook_secret("sk_test_1"));
}

static void a_payment_method_is_pm_and_letters_digits_or_underscores(void **state)
{
    (void)state;
    static const char *const others[] = {"", "pm_", "card_1", "pm_1-2", "pm_\xc3\xa9", "xpm_1", "pm_1 "};
    assert_true(stripe_is_payment_method("pm_card_visa"));
    assert_true(stripe_is_payment_method("pm_1Ab9"));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_false(stripe_is_payment_method(others[i]));
    }
}

// Ours have 38 characters after the same prefix.
static void stripes_keys_are_told_from_ours_by_prefix_and_length(void **state)
{
    (void)state;
    static const char *const stripes[] = {
        "rk_test_1",
        "pk_live_1",
        "whsec_1",
        "sk_org_1",
        "sk_test_abcdefghijklmnopqrstuvwx",
        "sk_live_0123456789012345678901234567890123456789012345678901234567890"};
    static const char *const others[] = {"", "sk_test_", "sk_test_01234567890123456789012345678901234567",
                                         "sk_live_012345678901234567890123456789", "pm_card_visa"};
    for (size_t i = 0; i < COUNT_OF(stripes); i++) {
        assert_true(stripe_resembles_credential(stripes[i]));
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_false(stripe_resembles_credential(others[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_key_says_its_mode),
        cmocka_unit_test(a_webhook_secret_has_its_prefix_and_more),
        cmocka_unit_test(a_payment_method_is_pm_and_letters_digits_or_underscores),
        cmocka_unit_test(stripes_keys_are_told_from_ours_by_prefix_and_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
