// Only the form of a credential is checked: a wrong one shows at the first call. See credentials.h.
#include "provider/stripe/credentials.h"

#include <stddef.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"

static bool is_after(const char *text, const char *prefix)
{
    bool visible = strlen(text) > strlen(prefix);
    for (const char *at = text; *at != '\0'; at++) {
        visible = visible && *at > 0x20 && *at < 0x7f;
    }
    return visible && text_starts_with(text, prefix);
}

bool stripe_is_secret_key(const char *text, bool *livemode)
{
    bool live = is_after(text, "sk_live_") || is_after(text, "rk_live_");
    bool test = is_after(text, "sk_test_") || is_after(text, "rk_test_");
    if (live || test) {
        *livemode = live;
    }
    return live || test;
}

bool stripe_is_webhook_secret(const char *text)
{
    return is_after(text, "whsec_");
}

bool stripe_is_payment_method(const char *text)
{
    return text_starts_with(text, "pm_") && strlen(text) > 3 &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

// Stripe's secret keys have 24 or, for years now, 99 characters after their prefix; ours have 38.
bool stripe_resembles_credential(const char *text)
{
    static const char *const never_ours[] = {"rk_test_", "rk_live_", "pk_test_",
                                             "pk_live_", "whsec_",   "sk_org_"};
    for (size_t i = 0; i < COUNT_OF(never_ours); i++) {
        if (text_starts_with(text, never_ours[i])) {
            return true;
        }
    }
    if (!text_starts_with(text, "sk_test_") && !text_starts_with(text, "sk_live_")) {
        return false;
    }
    size_t chars = strlen(text) - strlen("sk_test_");
    return chars == 24 || chars > 60;
}
