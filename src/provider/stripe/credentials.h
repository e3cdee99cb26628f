// The forms of Stripe's keys, secrets and payment methods: https://docs.stripe.com/keys. Pure; any thread.
#pragma once

#include <stdbool.h>

// Each: visible characters after a prefix that says what it is.
bool stripe_is_secret_key(const char *text, bool *livemode);
bool stripe_is_webhook_secret(const char *text);
bool stripe_is_payment_method(const char *text);

// Whether it is probably a key or secret of Stripe's, and not an API key of ours with a typing error.
bool stripe_resembles_credential(const char *text);
