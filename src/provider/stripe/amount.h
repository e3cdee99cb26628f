// Amounts in Stripe's minor units: https://docs.stripe.com/currencies. Pure; any thread.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "domain/money.h"

// The largest amount that Stripe takes, in its minor units.
#define STRIPE_MINOR_MAX INT64_C(999999999999)

// amount_minor from 0 to the currency's minor_max.
int64_t stripe_amount_to(int64_t amount_minor, const struct currency *currency);
// ERR_VALIDATION if the amount is negative, too large or not whole in our minor unit.
enum errc stripe_amount_from(int64_t stripe_minor, const struct currency *currency, int64_t *amount_minor,
                             struct err *err) MUST_CHECK;
