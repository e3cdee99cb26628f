// Money is an integer of minor units and a currency; text becomes that integer exactly, with no float
// between. Decimals: ISO 4217's, but MGA 0, and ISK and UGX 0 here while Stripe takes them x100
// (https://docs.stripe.com/currencies). Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// In Stripe's minor units; above it a request is refused.
#define MONEY_STRIPE_MINOR_MAX INT64_C(999999999999)
#define MONEY_TEXT_BYTES 32

struct currency {
    char code[4];         // upper case
    uint8_t decimals;     // of our minor unit
    uint8_t stripe_zeros; // digits that Stripe's minor unit has beyond ours: 2 for ISK and UGX, else 0
    bool last_digit_zero; // three-decimal currencies of which Stripe takes only two: the last digit must be 0
};

// The currency of a 3-letter code in either case; NULL if it is not an active ISO 4217 currency.
const struct currency *currency_find(const char *code);

// "[0-9]+(\.[0-9]+)?" to minor units. Zeros beyond the currency's decimals are accepted, other digits there
// are refused. So are a sign, an exponent, spaces, a third decimal that Stripe refuses, and more than
// MONEY_STRIPE_MINOR_MAX. Zero is accepted (filters use it); a caller that needs more checks it.
// ERR_VALIDATION.
enum errc money_parse(const char *text, const struct currency *currency, int64_t *amount_minor,
                      struct err *err) MUST_CHECK;

// The largest amount that Stripe takes.
int64_t money_minor_max(const struct currency *currency);

// "50.00", JPY "500", KWD "1.500". amount_minor >= 0.
void money_format(int64_t amount_minor, const struct currency *currency, char out[MONEY_TEXT_BYTES]);

// The amount in thousandths of the major unit: one scale on which the amounts of all currencies compare.
int64_t money_thousandths(int64_t amount_minor, const struct currency *currency);
// A decimal of any length to that scale, rounded up or down to a whole thousandth, so that comparing with it
// is exact. INT64_MAX for a number above every amount. ERR_VALIDATION.
enum errc money_parse_thousandths(const char *text, bool up, int64_t *thousandths,
                                  struct err *err) MUST_CHECK;

// To Stripe's minor units and back. From Stripe: ERR_VALIDATION where the amount is negative, too large or
// has no whole minor unit of ours.
int64_t money_to_stripe(int64_t amount_minor, const struct currency *currency);
enum errc money_from_stripe(int64_t stripe_minor, const struct currency *currency, int64_t *amount_minor,
                            struct err *err) MUST_CHECK;
