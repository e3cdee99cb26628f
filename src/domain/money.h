// Money is an integer of minor units and a currency; text becomes that integer exactly, with no float
// between. A provider's minor unit may be another one: struct provider_ops converts. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// No amount is larger, in minor units of any currency.
#define MONEY_MINOR_MAX INT64_C(999999999999)
#define MONEY_TEXT_BYTES 32

struct currency {
    char code[4];         // upper case
    uint8_t decimals;     // of our minor unit
    bool last_digit_zero; // three decimals of which card networks carry two: the last digit must be 0
    int64_t minor_max;    // the largest amount
};

// The currency of a 3-letter code in either case; NULL if it is not an active ISO 4217 currency.
const struct currency *currency_find(const char *code);

// "[0-9]+(\.[0-9]+)?" to minor units. Zeros beyond the currency's decimals are accepted, other digits there
// are refused. So are a sign, an exponent, spaces, a last digit that must be 0 and is not, and more than the
// currency's minor_max. Zero is accepted (filters use it); a caller that needs more checks it.
// ERR_VALIDATION.
enum errc money_parse(const char *text, const struct currency *currency, int64_t *amount_minor,
                      struct err *err) MUST_CHECK;

// "50.00", JPY "500", KWD "1.500". amount_minor >= 0.
void money_format(int64_t amount_minor, const struct currency *currency, char out[MONEY_TEXT_BYTES]);

// The amount in thousandths of the major unit: one scale on which the amounts of all currencies compare.
int64_t money_thousandths(int64_t amount_minor, const struct currency *currency);
// A decimal of any length to that scale, rounded up or down to a whole thousandth, so that comparing with it
// is exact. INT64_MAX for a number above every amount. ERR_VALIDATION.
enum errc money_parse_thousandths(const char *text, bool up, int64_t *thousandths,
                                  struct err *err) MUST_CHECK;
