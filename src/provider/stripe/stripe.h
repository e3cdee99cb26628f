// The provider Stripe. Everything that the service knows of Stripe is in this folder: call.c has its
// addresses and headers, body.c the requests' forms, answer.c what an answer means, object.c Stripe's
// objects, event.c its events, signature.c their signatures, amount.c its minor units, credentials.c the
// forms of its keys.
#pragma once

#include "net/http_client.h"
#include "provider/provider.h"

// The one API version that requests are written for and answers are read by.
#define STRIPE_VERSION "2026-10-28.endive"

struct stripe_options {
    struct http_client *client; // outlives the provider
    const char *api_base;       // "https://api.stripe.com"
    int64_t timeout_ms;         // of one call
};

extern const struct provider_ops stripe_ops;

// Never fails; freed by stripe_close once no call is under way.
struct provider *stripe_open(const struct stripe_options *options);
void stripe_close(struct provider *provider);
