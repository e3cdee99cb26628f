// stripe_signature_parse and stripe_signature_matches: an accepted header has a time within the tolerance and
// at least one v1 signature, and it matches a body only if it contains the body's HMAC.
#include "provider/stripe/signature.h"

#include "base/crypto.h"
#include "base/text.h"
#include "fuzz.h"

#define NOW_S INT64_C(1700000000)
#define SECRET "whsec_test_secret_1"
#define BODY "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"payment_intent.succeeded\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    FUZZ_CLEANUP char *header = fuzz_text(data, bytes);
    struct stripe_signature signature;
    struct err err = {0};
    if (stripe_signature_parse(header, NOW_S, &signature, &err) != OK) {
        REQUIRE(err.code == ERR_SIGNATURE_INVALID && err.message[0] != '\0');
        return 0;
    }
    REQUIRE(signature.count >= 1 && signature.count <= STRIPE_SIGNATURES_MAX);
    REQUIRE(signature.time_s >= NOW_S - STRIPE_SIGNATURE_TOLERANCE_S);
    REQUIRE(signature.time_s <= NOW_S + STRIPE_SIGNATURE_TOLERANCE_S);
    REQUIRE(strnlen(signature.time_text, sizeof(signature.time_text)) < sizeof(signature.time_text));
    REQUIRE(strstr(header, signature.time_text) != NULL);

    const struct crypto_part parts[] = {
        {signature.time_text, strlen(signature.time_text)}, {".", 1}, {BODY, strlen(BODY)}};
    uint8_t mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    crypto_hmac(SECRET, strlen(SECRET), parts, COUNT_OF(parts), mac);
    text_hex(mac, sizeof(mac), hex);
    const struct secret secret = secret_of(SECRET, strlen(SECRET));
    REQUIRE(!stripe_signature_matches(&signature, &secret, BODY, strlen(BODY)) ||
            strstr(header, hex) != NULL);
    return 0;
}
