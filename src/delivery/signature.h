// How a webhook is signed: our own header, and Standard Webhooks' (standardwebhooks.com, 1.0.0), whose
// published libraries verify it. Pure; any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"

struct signature_input {
    const char *event_id;
    int64_t timestamp_s; // of this attempt
    const char *body;
    size_t body_bytes;
};

struct signature {
    const char
        *payments; // "sha256=HEX", HMAC-SHA256 keyed with the secret's whole text, over TIMESTAMP "." BODY
    const char *standard; // "v1,BASE64", keyed with what the secret encodes, over ID "." TIMESTAMP "." BODY
};

// Signs with each secret, the new one first: while a replaced secret still counts, `payments` lists both with
// a comma between and `standard` with a space. Text into the arena. ERR_CRYPTO: a secret is not "whsec_" and
// base64.
enum errc signature_make(const struct signature_input *input, const struct secret *secrets,
                         size_t secret_count, struct arena *arena, struct signature *signature,
                         struct err *err) MUST_CHECK;
