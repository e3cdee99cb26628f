// Which signatures of Stripe's events are accepted. They were made with Stripe's own SDK.
#include "unit_test.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/require.h"
#include "base/text.h"
#include "provider/stripe/signature.h"

#define SECRET "whsec_test_secret_1"
#define OTHER_SECRET "whsec_test_secret_2"
#define TIME_S INT64_C(1700000000)
#define BODY "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"payment_intent.succeeded\"}"
#define RIGHT "80d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f67951"
#define RIGHT_UPPER "80D01916FBE31E77C6DE3B50CAC218FE70E1F2C5367CF7E3590C0901B7F67951"
#define RIGHT_CUT "80d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f6795"
#define WRONG "0000000000000000000000000000000000000000000000000000000000000000"
#define RIGHT_HEADER "t=1700000000,v1=" RIGHT

// Parsed as of now_s, then compared under the secret: what the service does with a delivery.
static bool believed(const char *header, int64_t now_s, const char *secret_text, const char *body)
{
    struct stripe_signature signature;
    struct err err = {0};
    const struct secret secret = secret_of(secret_text, strlen(secret_text));
    if (stripe_signature_parse(header, now_s, &signature, &err) != OK) {
        assert_int_equal(err.code, ERR_SIGNATURE_INVALID);
        assert_int_not_equal(err.message[0], '\0');
        return false;
    }
    return stripe_signature_matches(&signature, &secret, body, strlen(body));
}

struct delivery {
    const char *what;
    const char *header;
    int64_t age_s; // negative: the signature is from the future
    const char *secret;
    const char *body;
};

static void every_signature_that_the_sdk_accepts_is_believed(void **state)
{
    (void)state;
    static const struct delivery accepted[] = {
        {"exact", RIGHT_HEADER, 0, SECRET, BODY},
        {"300 seconds old", RIGHT_HEADER, 300, SECRET, BODY},
        {"300 seconds ahead", RIGHT_HEADER, -300, SECRET, BODY},
        {"a wrong v1, then the right one", "t=1700000000,v1=" WRONG ",v1=" RIGHT, 0, SECRET, BODY},
        {"the right v1, then a wrong one", "t=1700000000,v1=" RIGHT ",v1=" WRONG, 0, SECRET, BODY},
        {"v1, then v0", "t=1700000000,v1=" RIGHT ",v0=" WRONG, 0, SECRET, BODY},
        {"v1 before t", "v1=" RIGHT ",t=1700000000", 0, SECRET, BODY},
        {"the last of two t", "t=1600000000,t=1700000000,v1=" RIGHT, 0, SECRET, BODY},
        {"an unknown scheme", "t=1700000000,v2=x,v1=" RIGHT, 0, SECRET, BODY},
    };
    for (size_t i = 0; i < COUNT_OF(accepted); i++) {
        const struct delivery *d = &accepted[i];
        if (!believed(d->header, TIME_S + d->age_s, d->secret, d->body)) {
            fail_msg("refused: %s", d->what);
        }
    }
}

static void every_signature_that_the_sdk_rejects_is_refused(void **state)
{
    (void)state;
    static const struct delivery rejected[] = {
        {"301 seconds old", RIGHT_HEADER, 301, SECRET, BODY},
        {"301 seconds ahead", RIGHT_HEADER, -301, SECRET, BODY},
        {"v0 only", "t=1700000000,v0=" RIGHT, 0, SECRET, BODY},
        {"upper-case hex", "t=1700000000,v1=" RIGHT_UPPER, 0, SECRET, BODY},
        {"63 digits", "t=1700000000,v1=" RIGHT_CUT, 0, SECRET, BODY},
        {"65 digits", "t=1700000000,v1=" RIGHT "0", 0, SECRET, BODY},
        {"no t", "v1=" RIGHT, 0, SECRET, BODY},
        {"t=abc", "t=abc,v1=" RIGHT, 0, SECRET, BODY},
        {"an empty t", "t=,v1=" RIGHT, 0, SECRET, BODY},
        {"a negative t", "t=-1700000000,v1=" RIGHT, 0, SECRET, BODY},
        {"a t beyond 64 bits", "t=99999999999999999999,v1=" RIGHT, 0, SECRET, BODY},
        {"a space after the comma", "t=1700000000, v1=" RIGHT, 0, SECRET, BODY},
        {"another t than was signed", "t=1700000001,v1=" RIGHT, 0, SECRET, BODY},
        {"the same t written otherwise", "t=01700000000,v1=" RIGHT, 0, SECRET, BODY},
        {"a body with a line end more", RIGHT_HEADER, 0, SECRET, BODY "\n"},
        {"another secret", RIGHT_HEADER, 0, OTHER_SECRET, BODY},
        {"the secret without whsec_", RIGHT_HEADER, 0, "test_secret_1", BODY},
        {"an empty header", "", 0, SECRET, BODY},
        {"no header", NULL, 0, SECRET, BODY},
        {"only commas", ",,,", 0, SECRET, BODY},
    };
    for (size_t i = 0; i < COUNT_OF(rejected); i++) {
        const struct delivery *d = &rejected[i];
        if (believed(d->header, TIME_S + d->age_s, d->secret, d->body)) {
            fail_msg("believed: %s", d->what);
        }
    }
}

// While a secret is rolled Stripe signs with both; whichever of them is stored here, the delivery is
// believed.
static void either_of_two_secrets_is_believed_while_one_is_rolled(void **state)
{
    (void)state;
    const struct crypto_part parts[] = {{"1700000000", 10}, {".", 1}, {BODY, strlen(BODY)}};
    uint8_t mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    crypto_hmac(OTHER_SECRET, strlen(OTHER_SECRET), parts, COUNT_OF(parts), mac);
    text_hex(mac, sizeof(mac), hex);
    char header[256];
    (void)snprintf(header, sizeof(header), "t=1700000000,v1=%s,v1=" RIGHT, hex);
    assert_true(believed(header, TIME_S, SECRET, BODY));
    assert_true(believed(header, TIME_S, OTHER_SECRET, BODY));
    assert_false(believed(header, TIME_S, "whsec_test_secret_3", BODY));
}

static void more_signatures_than_are_kept_do_no_harm(void **state)
{
    (void)state;
    char header[4096] = "t=1700000000,v1=" RIGHT;
    for (int i = 0; i < 40; i++) {
        (void)snprintf(header + strlen(header), sizeof(header) - strlen(header), ",v1=" WRONG);
    }
    assert_true(believed(header, TIME_S, SECRET, BODY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signature_that_the_sdk_accepts_is_believed),
        cmocka_unit_test(every_signature_that_the_sdk_rejects_is_refused),
        cmocka_unit_test(either_of_two_secrets_is_believed_while_one_is_rolled),
        cmocka_unit_test(more_signatures_than_are_kept_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
