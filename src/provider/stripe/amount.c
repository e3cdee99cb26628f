// Our minor unit is Stripe's, except in two currencies. See amount.h.
#include "provider/stripe/amount.h"

#include <inttypes.h>

#include "base/require.h"
#include "base/text.h"

// ISK and UGX have no minor unit. Stripe keeps them with two decimals for the sake of old clients, and wants
// 00 there. MGA is whole at Stripe, as it is here; HUF and TWD are whole only in Stripe's payouts, which this
// service never makes. IQD and LYD Stripe does not take: a charge in their minor unit by ISO fails.
static int64_t scale_of(const struct currency *currency)
{
    return text_equal(currency->code, "ISK") || text_equal(currency->code, "UGX") ? 100 : 1;
}

int64_t stripe_amount_to(int64_t amount_minor, const struct currency *currency)
{
    REQUIRE(amount_minor >= 0 && amount_minor <= STRIPE_MINOR_MAX / scale_of(currency));
    return amount_minor * scale_of(currency);
}

enum errc stripe_amount_from(int64_t stripe_minor, const struct currency *currency, int64_t *amount_minor,
                             struct err *err)
{
    if (stripe_minor < 0 || stripe_minor > STRIPE_MINOR_MAX) {
        return err_set(err, ERR_VALIDATION, "the provider's amount %" PRId64 " is out of range",
                       stripe_minor);
    }
    int64_t scale = scale_of(currency);
    if (stripe_minor % scale != 0) {
        return err_set(err, ERR_VALIDATION, "the provider's amount %" PRId64 " is not whole in %s",
                       stripe_minor, currency->code);
    }
    *amount_minor = stripe_minor / scale;
    return OK;
}
