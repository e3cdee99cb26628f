// What makes Stripe a provider: the table of provider.h, and what is too small for a file of its own.
#include "provider/stripe/stripe.h"

#include "base/text.h"
#include "net/url.h"
#include "provider/stripe/amount.h"
#include "provider/stripe/body.h"
#include "provider/stripe/call.h"
#include "provider/stripe/credentials.h"
#include "provider/stripe/event.h"
#include "provider/stripe/signature.h"

static enum errc signature_parse(const char *header, int64_t now_s, struct arena *arena,
                                 struct provider_signature *signature, struct err *err)
{
    struct stripe_signature *parts = ARENA_NEW(arena, struct stripe_signature);
    enum errc rc = stripe_signature_parse(header, now_s, parts, err);
    *signature = (struct provider_signature){.time_s = parts->time_s, .parts = parts};
    return rc;
}

static bool signature_matches(const struct provider_signature *signature, const struct secret *secret,
                              const void *body, size_t body_bytes)
{
    return stripe_signature_matches(signature->parts, secret, body, body_bytes);
}

// https://docs.stripe.com/error-codes, https://docs.stripe.com/declines/codes
static enum failure_meaning failure_meaning(const char *code)
{
    if (text_equal(code, "payment_intent_unexpected_state")) {
        return FAILURE_UNEXPECTED_STATE;
    }
    if (text_equal(code, "resource_missing")) {
        return FAILURE_NO_SUCH_OBJECT;
    }
    return text_equal(code, "authentication_required") ? FAILURE_NEEDS_PAYER : FAILURE_OTHER;
}

// Only at Stripe's own address: a stand-in's limits are not known. https://docs.stripe.com/rate-limits
static struct pace_rates default_rates(const char *api_base)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct url url;
    bool is_stripes = url_parse(api_base, &arena, &url, NULL) == OK && text_equal(url.host, "api.stripe.com");
    return is_stripes ? (struct pace_rates){.test = 25, .live = 100} : (struct pace_rates){0};
}

const struct provider_ops stripe_ops = {
    .name = "stripe",
    .display_name = "Stripe",
    .send = stripe_send,
    .abandon_call = stripe_abandon_call,
    .charge_body = stripe_charge_body,
    .capture_body = stripe_capture_body,
    .capture_amount = stripe_capture_amount,
    .refund_body = stripe_refund_body,
    .customer_body = stripe_customer_body,
    .attach_body = stripe_attach_body,
    .setup_body = stripe_setup_body,
    .confirm_body = stripe_confirm_body,
    .amount_to = stripe_amount_to,
    .amount_from = stripe_amount_from,
    .signature_header = "Stripe-Signature",
    .signature_parse = signature_parse,
    .signature_matches = signature_matches,
    .event_parse = stripe_event_parse,
    .is_secret_key = stripe_is_secret_key,
    .is_webhook_secret = stripe_is_webhook_secret,
    .is_payment_method = stripe_is_payment_method,
    .secret_key_form = "Stripe secret or restricted key: sk_test_, sk_live_, rk_test_ or rk_live_",
    .webhook_secret_form = "Stripe signing secret, whsec_...",
    .payment_method_form = "Stripe payment method, pm_...",
    .resembles_credential = stripe_resembles_credential,
    .card_form = "Stripe.js",
    .failure_meaning = failure_meaning,
    .default_rates = default_rates,
    .api_base_setting = "PAYMENTS_STRIPE_API_BASE",
};
