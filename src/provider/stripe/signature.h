// Whether an event is really from Stripe: https://docs.stripe.com/webhooks/signature. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

// How old or ahead a signature may be: 300 s passes, 301 does not.
#define STRIPE_SIGNATURE_TOLERANCE_S 300
#define STRIPE_SIGNATURES_MAX 16

// A Stripe-Signature header taken apart: `t=...,v1=...[,v1=...]`; other schemes are ignored.
struct stripe_signature {
    char time_text[24]; // as written: it is part of what was signed
    int64_t time_s;
    uint8_t v1[STRIPE_SIGNATURES_MAX][32];
    size_t count;
};

// ERR_SIGNATURE_INVALID with a sentence: no header, no time, a time out of bounds, no well-formed v1.
enum errc stripe_signature_parse(const char *header, int64_t now_s, struct stripe_signature *signature,
                                 struct err *err) MUST_CHECK;
// Whether any of its v1 is HMAC-SHA256(secret, time "." body), compared in constant time. The key is the
// whole "whsec_..." text.
bool stripe_signature_matches(const struct stripe_signature *signature, const struct secret *secret,
                              const void *body, size_t body_bytes);
