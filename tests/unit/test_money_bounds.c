// Bounds on amounts, in thousandths of any currency: filters of a list compare amounts with them.
#include "unit_test.h"

#include "domain/money.h"

static void bound(const char *text, int64_t up, int64_t down)
{
    int64_t thousandths = -1;
    assert_int_equal(money_parse_thousandths(text, true, &thousandths, NULL), OK);
    assert_int_equal(thousandths, up);
    assert_int_equal(money_parse_thousandths(text, false, &thousandths, NULL), OK);
    assert_int_equal(thousandths, down);
}

static void a_bound_of_any_length_is_exact_on_one_scale(void **state)
{
    (void)state;
    bound("0", 0, 0);
    bound("10", 10000, 10000);
    bound("10.5", 10500, 10500);
    bound("10.001", 10001, 10001);
    bound("10.0010000000000000000000000000000", 10001, 10001);
    bound("10.0010000000000000000000000000001", 10002, 10001);
    bound("0.0000000000000000000000000000001", 1, 0);
    bound("00000000000000000000000000000010", 10000, 10000);
    bound("999999999999", INT64_C(999999999999000), INT64_C(999999999999000));
    bound("999999999999.001", INT64_MAX, INT64_MAX); // above every amount there is
    bound("99999999999999999999999999999999999999", INT64_MAX, INT64_MAX);
}

static void a_bound_has_the_form_of_an_amount(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",   "-1", "+1",  "1.",  ".5",  "1e3",
                                        " 1", "1 ", "1,5", "0x1", "ten", "1.2.3"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t thousandths = 0;
        assert_int_equal(money_parse_thousandths(wrong[i], true, &thousandths, NULL), ERR_VALIDATION);
    }
}

static void an_amount_stands_on_that_scale_at_its_own_decimal(void **state)
{
    (void)state;
    static const char *const codes[] = {"USD", "JPY", "KWD", "ISK", "BHD", "MGA"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        const struct currency *currency = currency_find(codes[i]);
        for (int64_t amount_minor = 0; amount_minor < 100000; amount_minor += 777) {
            char text[MONEY_TEXT_BYTES];
            int64_t thousandths = -1;
            money_format(amount_minor, currency, text);
            assert_int_equal(money_parse_thousandths(text, true, &thousandths, NULL), OK);
            assert_int_equal(money_thousandths(amount_minor, currency), thousandths);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_of_any_length_is_exact_on_one_scale),
        cmocka_unit_test(a_bound_has_the_form_of_an_amount),
        cmocka_unit_test(an_amount_stands_on_that_scale_at_its_own_decimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
