// Which amounts Stripe accepts: the minimum, the maximum, and the currencies with rules of their own. Pure.
// https://docs.stripe.com/currencies
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "sandbox/response.h"

#define AMOUNT_MAX INT64_C(999999999999)
#define AMEX_AMOUNT_MAX INT64_C(999999999)

// amount in Stripe's minor units, currency in either case. False: *refusal is filled, its text in the arena.
bool amount_check(int64_t amount, const char *currency, struct arena *arena,
                  struct refusal *refusal) MUST_CHECK;
// Checks only the currency's rule for the last digits, which applies to refunds too.
bool amount_check_digits(int64_t amount, const char *currency, struct arena *arena,
                         struct refusal *refusal) MUST_CHECK;
// "12.50 usd", in the arena.
const char *amount_shown(int64_t amount, const char *currency, struct arena *arena);
