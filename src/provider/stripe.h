// Stripe behind provider.h. Everything the service knows of Stripe's requests is in stripe.c and
// stripe_body.c, of its answers in stripe_answer.c, of its events in stripe_event.c.
#pragma once

#include "provider/provider.h"

// The one API version that requests are written for and answers are read by.
#define STRIPE_VERSION "2026-10-28.endive"

struct stripe_options {
    struct http_client *client; // outlives the provider
    const char *api_base;       // "https://api.stripe.com"
    int64_t timeout_ms;         // of one call
};

// Never fails; freed by stripe_close once no call is under way.
struct provider *stripe_open(const struct stripe_options *options);
void stripe_close(struct provider *provider);

// Part of struct provider_ops.
enum errc stripe_charge_body(const struct payment *payment, struct arena *arena, const char **body,
                             struct err *err);
