// Stripe behind provider.h. Everything the service knows of Stripe's requests is in stripe.c and
// stripe_body.c, of its answers in stripe_answer.c, of its events in stripe_event.c.
#pragma once

#include "domain/pace.h"
#include "provider/provider.h"

// The one API version that requests are written for and answers are read by.
#define STRIPE_VERSION "2026-10-28.endive"

// The metadata that holds a struct request_mark, beside payment_id, refund_id and merchant_id. A merchant's
// own metadata may not have these names.
#define STRIPE_MARK_KEY "paymentsd_key"
#define STRIPE_MARK_HASH "paymentsd_hash"

struct stripe_options {
    struct http_client *client; // outlives the provider
    const char *api_base;       // "https://api.stripe.com"
    int64_t timeout_ms;         // of one call
};

// What Stripe allows an account: `setting` where it is given (and valid, as pace_rates_parse has it), else
// what Stripe publishes, but only at its own address; a stand-in's limits are not known.
// https://docs.stripe.com/rate-limits
struct pace_rates stripe_rates(const char *setting, const char *api_base);

// Never fails; freed by stripe_close once no call is under way.
struct provider *stripe_open(const struct stripe_options *options);
void stripe_close(struct provider *provider);

// stripe_body.c: the parts of struct provider_ops that make bodies. Pure; any thread.
enum errc stripe_charge_body(const struct payment *payment, const char *customer_ref, const char *method_ref,
                             bool off_session, struct arena *arena, const char **body, struct err *err);
const char *stripe_capture_body(const struct payment *payment, int64_t amount_minor, struct arena *arena);
int64_t stripe_capture_amount(const char *body);
const char *stripe_refund_body(const struct refund *refund, const char *payment_ref, struct arena *arena);
const char *stripe_customer_body(const struct customer *customer, const char *email, const char *name,
                                 struct arena *arena);
const char *stripe_attach_body(const char *customer_ref, struct arena *arena);
const char *stripe_setup_body(const struct card *card, const char *customer_ref, struct arena *arena);
const char *stripe_confirm_body(const char *method_ref, const char *return_url, struct arena *arena);
