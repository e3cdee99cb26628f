// Text to minor units and back, digit by digit in integers. Pure; any thread.
#include "domain/money.h"

#include <stddef.h>
#include <string.h>

#include "base/require.h"

// The most decimals that a currency has, and more than any amount is in thousandths.
#define THOUSANDTHS_DECIMALS 3
#define THOUSANDTHS_MAX (MONEY_MINOR_MAX * 1000)

// "123.45" taken apart: pointers into the text, digits counted.
struct decimal_text {
    const char *whole;
    size_t whole_digits;
    const char *fraction;
    size_t fraction_digits; // 0: there is no '.'
};

// Splits a text that is [0-9]+(\.[0-9]+)? as a whole.
static bool split_decimal(const char *text, struct decimal_text *parts)
{
    static const char digits[] = "0123456789";
    *parts = (struct decimal_text){.whole = text, .whole_digits = strspn(text, digits)};
    const char *rest = text + parts->whole_digits;
    if (parts->whole_digits == 0) {
        return false;
    }
    if (*rest == '.') {
        parts->fraction = rest + 1;
        parts->fraction_digits = strspn(parts->fraction, digits);
        rest = parts->fraction + parts->fraction_digits;
        if (parts->fraction_digits == 0) {
            return false;
        }
    }
    return *rest == '\0';
}

static int64_t power_of_ten(unsigned exponent)
{
    int64_t power = 1;
    for (unsigned i = 0; i < exponent; i++) {
        power *= 10;
    }
    return power;
}

// False: the value exceeds max. max < INT64_MAX / 10 - 9, so that no step overflows before this is seen.
static bool push_digit(int64_t *value, char digit, int64_t max)
{
    *value = *value * 10 + (digit - '0');
    return *value <= max;
}

static enum errc refuse_too_large(const struct currency *currency, struct err *err)
{
    char largest[MONEY_TEXT_BYTES];
    money_format(currency->minor_max, currency, largest);
    return err_set(err, ERR_VALIDATION, "must be at most %s %s", largest, currency->code);
}

static enum errc refuse_form(struct err *err)
{
    return err_set(err, ERR_VALIDATION, "must be a decimal number such as 10 or 10.00");
}

enum errc money_parse(const char *text, const struct currency *currency, int64_t *amount_minor,
                      struct err *err)
{
    REQUIRE(text != NULL && currency != NULL);
    struct decimal_text parts;
    if (!split_decimal(text, &parts)) {
        return refuse_form(err);
    }
    int64_t max = currency->minor_max;
    int64_t value = 0;
    for (size_t i = 0; i < parts.whole_digits; i++) {
        if (!push_digit(&value, parts.whole[i], max)) {
            return refuse_too_large(currency, err);
        }
    }
    for (size_t i = 0; i < currency->decimals; i++) {
        char digit = i < parts.fraction_digits ? parts.fraction[i] : '0';
        if (!push_digit(&value, digit, max)) {
            return refuse_too_large(currency, err);
        }
    }
    for (size_t i = currency->decimals; i < parts.fraction_digits; i++) {
        if (parts.fraction[i] != '0') {
            return err_set(err, ERR_VALIDATION, "must have at most %d decimals in %s",
                           (int)currency->decimals, currency->code);
        }
    }
    if (currency->last_digit_zero && value % 10 != 0) {
        return err_set(err, ERR_VALIDATION, "the third decimal must be 0 in %s", currency->code);
    }
    *amount_minor = value;
    return OK;
}

void money_format(int64_t amount_minor, const struct currency *currency, char out[MONEY_TEXT_BYTES])
{
    REQUIRE(amount_minor >= 0);
    char text[MONEY_TEXT_BYTES]; // written from its end
    char *at = text + sizeof(text);
    *--at = '\0';
    for (unsigned digits = 0; digits <= currency->decimals || amount_minor > 0; digits++) {
        if (digits > 0 && digits == currency->decimals) {
            *--at = '.';
        }
        *--at = (char)('0' + amount_minor % 10);
        amount_minor /= 10;
    }
    memcpy(out, at, (size_t)(text + sizeof(text) - at));
}

int64_t money_thousandths(int64_t amount_minor, const struct currency *currency)
{
    REQUIRE(amount_minor >= 0 && amount_minor <= currency->minor_max);
    return amount_minor * power_of_ten(THOUSANDTHS_DECIMALS - currency->decimals);
}

enum errc money_parse_thousandths(const char *text, bool up, int64_t *thousandths, struct err *err)
{
    struct decimal_text parts;
    if (!split_decimal(text, &parts)) {
        return refuse_form(err);
    }
    int64_t value = 0;
    bool fits = true;
    for (size_t i = 0; i < parts.whole_digits && fits; i++) {
        fits = push_digit(&value, parts.whole[i], THOUSANDTHS_MAX);
    }
    for (size_t i = 0; i < THOUSANDTHS_DECIMALS && fits; i++) {
        fits = push_digit(&value, i < parts.fraction_digits ? parts.fraction[i] : '0', THOUSANDTHS_MAX);
    }
    bool beyond = false;
    for (size_t i = THOUSANDTHS_DECIMALS; i < parts.fraction_digits; i++) {
        beyond = beyond || parts.fraction[i] != '0';
    }
    *thousandths = fits ? value + (up && beyond) : INT64_MAX;
    return OK;
}
