// Checks of amounts. Pure. See amounts.h.
#include "sandbox/amounts.h"

#include "base/require.h"
#include "base/text.h"
#include "domain/money.h"

// Minimum charges in minor units. At Stripe they depend on the currency of settlement; the sandbox settles in
// the currency of the charge.
static const struct minimum {
    const char *code;
    int64_t minor;
} minimums[] = {
    {"AED", 200},  {"ARS", 50},  {"AUD", 50},  {"BRL", 50},  {"CAD", 50},   {"CHF", 50},    {"COP", 50},
    {"CZK", 1500}, {"DKK", 250}, {"EUR", 50},  {"GBP", 30},  {"HKD", 400},  {"HUF", 17500}, {"IDR", 50},
    {"ILS", 50},   {"INR", 50},  {"JPY", 50},  {"KRW", 50},  {"MXN", 1000}, {"MYR", 200},   {"NOK", 300},
    {"NZD", 50},   {"PHP", 50},  {"PLN", 200}, {"RON", 200}, {"RUB", 50},   {"SEK", 300},   {"SGD", 50},
    {"THB", 1000}, {"USD", 50},  {"ZAR", 50},
};

static int64_t minimum_of(const char *code)
{
    for (size_t i = 0; i < COUNT_OF(minimums); i++) {
        if (text_equal(minimums[i].code, code)) {
            return minimums[i].minor;
        }
    }
    return 1;
}

// ISK and UGX have no decimals, and Stripe takes them with two.
static int64_t scale_of(const struct currency *currency)
{
    return text_equal(currency->code, "ISK") || text_equal(currency->code, "UGX") ? 100 : 1;
}

const char *amount_shown(int64_t amount, const char *currency_code, struct arena *arena)
{
    const struct currency *currency = currency_find(currency_code);
    const char *lower = text_lower(arena, currency_code);
    char text[MONEY_TEXT_BYTES];
    if (currency == NULL || amount < 0 || amount > AMOUNT_MAX || amount % scale_of(currency) != 0) {
        return arena_printf(arena, "%lld %s", (long long)amount, lower);
    }
    money_format(amount / scale_of(currency), currency, text);
    return arena_printf(arena, "%s %s", text, lower);
}

bool amount_check_digits(int64_t amount, const char *currency_code, struct arena *arena,
                         struct refusal *refusal)
{
    const struct currency *currency = currency_find(currency_code);
    REQUIRE(currency != NULL);
    const char *lower = text_lower(arena, currency->code);
    if (amount % scale_of(currency) != 0) {
        return refusal_set(
            refusal, 400, "parameter_invalid_integer", "amount",
            arena_printf(arena, "Amounts in %s have no fraction: the last two digits must be 00", lower));
    }
    if (currency->last_digit_zero && amount % 10 != 0) {
        return refusal_set(refusal, 400, "parameter_invalid_integer", "amount",
                           arena_printf(arena,
                                        "Amounts in %s are taken with two decimals: the last digit must be 0",
                                        lower));
    }
    return true;
}

bool amount_check(int64_t amount, const char *currency_code, struct arena *arena, struct refusal *refusal)
{
    const struct currency *currency = currency_find(currency_code);
    if (currency == NULL) {
        return refusal_set(refusal, 400, NULL, "currency",
                           arena_printf(arena, "Invalid currency: %.20s", currency_code));
    }
    if (amount < 1) {
        return refusal_set(refusal, 400, "parameter_invalid_integer", "amount",
                           "This value must be greater than or equal to 1.");
    }
    if (amount > AMOUNT_MAX) {
        return refusal_set(refusal, 400, "amount_too_large", "amount",
                           arena_printf(arena, "Amount must be no more than %s",
                                        amount_shown(AMOUNT_MAX, currency_code, arena)));
    }
    int64_t minimum = minimum_of(currency->code);
    if (amount < minimum) {
        return refusal_set(
            refusal, 400, "amount_too_small", "amount",
            arena_printf(arena, "Amount must be at least %s", amount_shown(minimum, currency_code, arena)));
    }
    return amount_check_digits(amount, currency_code, arena, refusal);
}
