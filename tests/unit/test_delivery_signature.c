// Signatures against values that Python's hmac module computed, and Standard Webhooks' own published example.
#include "unit_test.h"

#include <string.h>

#include "delivery/signature.h"

#define BODY "{\"test\": 2432232314}"
#define PUBLISHED "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ANOTHER "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct signature_input input = {
    .event_id = "msg_p5jXN8AQM9LWM0D4loKWxJek",
    .timestamp_s = 1614265330,
    .body = BODY,
    .body_bytes = sizeof(BODY) - 1,
};

static struct secret secret_text(const char *text)
{
    return secret_of(text, strlen(text));
}

static void a_signature_is_the_one_that_the_published_libraries_expect(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct secret secret = secret_text(PUBLISHED);
    struct signature signature;
    assert_int_equal(signature_make(&input, &secret, 1, &arena, &signature, NULL), OK);
    assert_string_equal(signature.standard, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void our_own_signature_is_keyed_with_the_whole_text_of_the_secret(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct secret secret = secret_text(PUBLISHED);
    struct signature signature;
    assert_int_equal(signature_make(&input, &secret, 1, &arena, &signature, NULL), OK);
    assert_string_equal(signature.payments,
                        "sha256=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964");
}

static void during_a_rotation_the_new_signature_stands_before_the_old(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const struct secret secrets[] = {secret_text(ANOTHER), secret_text(PUBLISHED)};
    struct signature signature;
    assert_int_equal(signature_make(&input, secrets, 2, &arena, &signature, NULL), OK);
    assert_string_equal(signature.standard, "v1,O4Gjv1HqPqsMrjmczoggs/sWA8gZD0VyHG+fLh4+ktI= "
                                            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_string_equal(signature.payments,
                        "sha256=8dbc842b6599c1be049900723cebba01cdec937f060d8d59fd18e8efade1dbb7,"
                        "sha256=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964");
}

static void a_secret_of_another_form_signs_nothing(void **state)
{
    (void)state;
    static const char *const malformed[] = {"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64",
                                            "whsec_QQ"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        const struct secret secret = secret_text(malformed[i]);
        struct signature signature;
        struct err err;
        assert_int_equal(signature_make(&input, &secret, 1, &arena, &signature, &err), ERR_CRYPTO);
        assert_null(strstr(err.message, "MfKQ"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_the_one_that_the_published_libraries_expect),
        cmocka_unit_test(our_own_signature_is_keyed_with_the_whole_text_of_the_secret),
        cmocka_unit_test(during_a_rotation_the_new_signature_stands_before_the_old),
        cmocka_unit_test(a_secret_of_another_form_signs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
