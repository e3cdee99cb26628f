// A Stripe-Signature header is parsed first, and compared with a secret once one is known. See signature.h.
#include "provider/stripe/signature.h"

#include <string.h>

#include "base/crypto.h"
#include "base/text.h"

static void take_item(struct stripe_signature *signature, const char *item, size_t chars)
{
    if (chars > 2 && memcmp(item, "t=", 2) == 0 && chars - 2 < sizeof(signature->time_text)) {
        memcpy(signature->time_text, item + 2, chars - 2);
        signature->time_text[chars - 2] = '\0';
    } else if (chars > 3 && memcmp(item, "v1=", 3) == 0 && signature->count < STRIPE_SIGNATURES_MAX &&
               text_hex_decode(item + 3, chars - 3, signature->v1[signature->count],
                               sizeof(signature->v1[0]))) { // Stripe writes lower case
        signature->count++;
    }
}

enum errc stripe_signature_parse(const char *header, int64_t now_s, struct stripe_signature *signature,
                                 struct err *err)
{
    *signature = (struct stripe_signature){0};
    if (header == NULL) {
        return err_set(err, ERR_SIGNATURE_INVALID, "the Stripe-Signature header is missing");
    }
    for (const char *item = header; item != NULL;) {
        const char *comma = strchr(item, ',');
        take_item(signature, item, comma != NULL ? (size_t)(comma - item) : strlen(item));
        item = comma != NULL ? comma + 1 : NULL;
    }
    if (text_to_i64(signature->time_text, &signature->time_s, NULL) != OK) {
        return err_set(err, ERR_SIGNATURE_INVALID, "the Stripe-Signature header has no timestamp t=");
    }
    if (signature->count == 0) {
        return err_set(err, ERR_SIGNATURE_INVALID, "the Stripe-Signature header has no v1 signature");
    }
    if (signature->time_s < now_s - STRIPE_SIGNATURE_TOLERANCE_S ||
        signature->time_s > now_s + STRIPE_SIGNATURE_TOLERANCE_S) {
        return err_set(err, ERR_SIGNATURE_INVALID, "the signature's timestamp is more than 5 minutes off");
    }
    return OK;
}

bool stripe_signature_matches(const struct stripe_signature *signature, const struct secret *secret,
                              const void *body, size_t body_bytes)
{
    const struct crypto_part parts[] = {
        {signature->time_text, strlen(signature->time_text)}, {".", 1}, {body, body_bytes}};
    uint8_t expected[SHA256_BYTES];
    crypto_hmac(secret->data, secret->len, parts, 3, expected);
    bool matches = false;
    for (size_t i = 0; i < signature->count; i++) {
        matches |= crypto_equal(expected, signature->v1[i], SHA256_BYTES);
    }
    return matches;
}
