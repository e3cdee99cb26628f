// What is read of an intent that Stripe shows, and what of an answer's text may go further.
#include "answer_fixture.h"

static struct provider_payment intent_of(struct fixture *f, const char *members)
{
    const char *text = arena_printf(&f->arena, "{\"id\":\"pi_1\",%s}", members);
    const struct json_value *object = NULL;
    struct err err;
    assert_int_equal(json_read(&f->arena, text, strlen(text), JSON_VALUES_MAX, &object, &err), OK);
    struct provider_payment intent;
    assert_true(stripe_intent_read(object, &f->arena, &intent));
    return intent;
}

static void each_status_of_an_intent_means_one_state(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *status;
        enum provider_payment_state state;
        enum provider_payment_state state_after_an_error;
    } statuses[] = {
        {"succeeded", PROVIDER_PAYMENT_SUCCEEDED, PROVIDER_PAYMENT_SUCCEEDED},
        {"requires_capture", PROVIDER_PAYMENT_CAPTURABLE, PROVIDER_PAYMENT_CAPTURABLE},
        {"canceled", PROVIDER_PAYMENT_CANCELED, PROVIDER_PAYMENT_CANCELED},
        {"requires_payment_method", PROVIDER_PAYMENT_OPEN, PROVIDER_PAYMENT_ATTEMPT_FAILED},
        {"processing", PROVIDER_PAYMENT_PROCESSING, PROVIDER_PAYMENT_PROCESSING},
        {"requires_action", PROVIDER_PAYMENT_OPEN, PROVIDER_PAYMENT_OPEN},
        {"requires_confirmation", PROVIDER_PAYMENT_OPEN, PROVIDER_PAYMENT_OPEN},
        {"Succeeded", PROVIDER_PAYMENT_OPEN, PROVIDER_PAYMENT_OPEN},
        {"", PROVIDER_PAYMENT_OPEN, PROVIDER_PAYMENT_OPEN},
        {"something_of_next_year", PROVIDER_PAYMENT_OPEN, PROVIDER_PAYMENT_OPEN},
    };
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        const char *status = statuses[i].status;
        const char *plain = arena_printf(&f->arena, "\"status\":\"%s\",\"last_payment_error\":null", status);
        const char *failed =
            arena_printf(&f->arena, "\"status\":\"%s\",\"last_payment_error\":{\"code\":\"x\"}", status);
        if (intent_of(f, plain).state != statuses[i].state ||
            intent_of(f, failed).state != statuses[i].state_after_an_error) {
            fail_msg("another state: %s", status);
        }
    }
}

static void the_payment_method_is_read_as_an_id_and_as_an_object(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(intent_of(f, "\"status\":\"succeeded\",\"payment_method\":\"pm_1\"").method_ref,
                        "pm_1");
    assert_string_equal(
        intent_of(f, "\"status\":\"succeeded\",\"payment_method\":{\"id\":\"pm_1\"}").method_ref, "pm_1");
    assert_null(intent_of(f, "\"status\":\"succeeded\",\"payment_method\":null").method_ref);
    const struct provider_answer *answer = read_reply(
        f, (struct reply){PROVIDER_PAID_METHOD, HTTP_DONE, 200,
                          "{\"id\":\"pi_1\",\"status\":\"succeeded\",\"payment_method\":{\"id\":\"pm_1\","
                          "\"customer\":\"cus_1\",\"card\":{\"fingerprint\":\"f1\"}}}"});
    assert_int_equal(answer->outcome, PROVIDER_DONE);
    assert_true(answer->has_method);
    assert_string_equal(answer->method.customer_ref, "cus_1");
    assert_string_equal(answer->method.fingerprint, "f1");
    answer =
        read_reply(f, (struct reply){PROVIDER_PAID_METHOD, HTTP_DONE, 200,
                                     "{\"id\":\"pi_1\",\"status\":\"succeeded\",\"payment_method\":null}"});
    assert_int_equal(answer->outcome, PROVIDER_DONE);
    assert_false(answer->has_method);
}

static void the_action_of_the_payer_is_read(void **state)
{
    struct fixture *f = *state;
    struct provider_payment intent =
        intent_of(f, "\"status\":\"requires_action\",\"next_action\":{\"type\":\"redirect_to_url\","
                     "\"redirect_to_url\":{\"url\":\"https://hooks.example/3ds\"}},"
                     "\"client_secret\":\"pi_1_secret_s\"");
    assert_int_equal(intent.next_action, NEXT_ACTION_REDIRECT);
    assert_string_equal(intent.redirect_url, "https://hooks.example/3ds");
    assert_string_equal(intent.client_secret, "pi_1_secret_s");
    intent = intent_of(
        f,
        "\"status\":\"requires_action\",\"next_action\":{\"type\":\"use_stripe_sdk\",\"use_stripe_sdk\":{}}");
    assert_int_equal(intent.next_action, NEXT_ACTION_SDK);
    assert_null(intent.redirect_url);
    intent =
        intent_of(f, "\"status\":\"requires_action\",\"next_action\":{\"type\":\"something_of_next_year\"}");
    assert_int_equal(intent.next_action, NEXT_ACTION_SDK);
    intent = intent_of(f, "\"status\":\"processing\",\"next_action\":null");
    assert_int_equal(intent.next_action, NEXT_ACTION_NONE);
}

static void a_member_of_another_type_is_left_out(void **state)
{
    struct fixture *f = *state;
    struct provider_payment intent =
        intent_of(f, "\"status\":\"succeeded\",\"amount\":\"5000\",\"amount_received\":50.5,"
                     "\"currency\":840,\"client_secret\":[],\"metadata\":\"none\",\"next_action\":7,"
                     "\"last_payment_error\":\"declined\"");
    assert_int_equal(intent.amount_provider_minor, -1);
    assert_int_equal(intent.received_provider_minor, -1);
    assert_null(intent.currency);
    assert_null(intent.client_secret);
    assert_null(intent.payment_id);
    assert_null(intent.failure.code);
    assert_null(intent.redirect_url);
}

static void an_object_without_a_usable_id_is_no_intent(void **state)
{
    struct fixture *f = *state;
    char long_id[512];
    (void)snprintf(long_id, sizeof(long_id), "{\"id\":\"%0256d\",\"status\":\"succeeded\"}", 0);
    const char *const texts[] = {"{\"status\":\"succeeded\"}", "{\"id\":null,\"status\":\"succeeded\"}",
                                 long_id, "[]", "7"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct json_value *object = NULL;
        struct err err;
        assert_int_equal(json_read(&f->arena, texts[i], strlen(texts[i]), JSON_VALUES_MAX, &object, &err),
                         OK);
        struct provider_payment intent;
        assert_false(stripe_intent_read(object, &f->arena, &intent));
    }
    struct provider_payment intent;
    assert_false(stripe_intent_read(NULL, &f->arena, &intent));
}

// --- what must not get out

static bool tells_a_secret(const struct failure *failure)
{
    static const char *const secrets[] = {KEY, "pi_1_secret_s", "sk_live_other", "whsec_abc"};
    const char *const texts[] = {failure->code, failure->decline_code, failure->message};
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        for (size_t j = 0; j < COUNT_OF(texts); j++) {
            if (texts[j] != NULL && strstr(texts[j], secrets[i]) != NULL) {
                return true;
            }
        }
    }
    return false;
}

static void no_failure_reveals_a_secret(void **state)
{
    struct fixture *f = *state;
    static const char *const secrets[] = {KEY, "pi_1_secret_s", "sk_live_other", "whsec_abc"};
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        const char *error =
            arena_printf(&f->arena,
                         "{\"type\":\"card_error\",\"code\":\"c_%s\",\"decline_code\":\"d_%s\","
                         "\"message\":\"No such key: %s.\"}",
                         secrets[i], secrets[i], secrets[i]);
        struct reply reply = {
            PROVIDER_CHARGE, HTTP_DONE, 402, arena_printf(&f->arena, "{\"error\":%s}", error), NULL, NULL};
        const struct provider_answer *answer = read_reply(f, reply);
        assert_int_equal(answer->outcome, PROVIDER_REFUSED);
        assert_false(tells_a_secret(&answer->failure));
        assert_non_null(answer->failure.code);
        assert_non_null(answer->failure.message);
        reply.status = 200;
        reply.body = arena_printf(
            &f->arena, "{\"id\":\"pi_1\",\"status\":\"requires_payment_method\",\"last_payment_error\":%s}",
            error);
        answer = read_reply(f, reply);
        assert_int_equal(answer->payment.state, PROVIDER_PAYMENT_ATTEMPT_FAILED);
        assert_false(tells_a_secret(&answer->payment.failure));
    }
}

static void a_reason_reveals_no_secret(void **state)
{
    struct fixture *f = *state;
    const struct provider_answer *answer =
        read_reply(f, (struct reply){PROVIDER_CHARGE, HTTP_DONE, 500, ERROR("error of " KEY), NULL, NULL});
    assert_int_equal(answer->outcome, PROVIDER_UNKNOWN);
    assert_null(strstr(answer->reason, KEY));
}

static void a_long_message_is_cut_between_characters(void **state)
{
    struct fixture *f = *state;
    struct buf body BUF_CLEANUP = BUF_MAX(1 << 16);
    buf_add_str(&body, "{\"error\":{\"type\":\"card_error\",\"message\":\"x");
    for (int i = 0; i < 400; i++) {
        buf_add_str(&body, "\u20ac"); // 3 bytes each, and one before them
    }
    buf_add_str(&body, "\"}}");
    const struct provider_answer *answer =
        read_reply(f, (struct reply){PROVIDER_CHARGE, HTTP_DONE, 402, buf_str(&body), NULL, NULL});
    size_t bytes = strlen(answer->failure.message);
    assert_in_range(bytes, 400, 500);
    assert_true(text_is_utf8(answer->failure.message, bytes));
}

#define HASH_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define MARKED(key, hash) "{\"paymentsd_key\":\"" key "\",\"paymentsd_hash\":\"" hash "\"}"

static const struct provider_payment *listed(struct fixture *f, const char *members)
{
    const char *body = arena_printf(
        &f->arena, "{\"has_more\":false,\"data\":[{\"id\":\"pi_1\",\"status\":\"succeeded\",%s}]}", members);
    const struct provider_answer *answer =
        read_reply(f, (struct reply){PROVIDER_PAYMENTS_SINCE, HTTP_DONE, 200, body, NULL, NULL});
    assert_int_equal(answer->outcome, PROVIDER_DONE);
    return &answer->payments[0];
}

static void the_origin_of_a_payment_is_read(void **state)
{
    struct fixture *f = *state;
    const struct provider_payment *intent = listed(
        f, "\"created\":1700000000,\"description\":\"tea\",\"receipt_email\":\"a@shop.example\","
           "\"payment_method\":{\"id\":\"pm_1\"},\"capture_method\":\"manual\",\"metadata\":{\"z\":\"1\","
           "\"payment_id\":\"p\",\"merchant_id\":\"m\",\"a\":\"2\",\"paymentsd_key\":\"order-1\","
           "\"paymentsd_hash\":\"" HASH_HEX "\"}");
    const struct payment_origin *origin = &intent->origin;
    assert_int_equal(intent->created_s, 1700000000);
    assert_string_equal(origin->mark.key, "order-1");
    assert_int_equal(origin->mark.hash[31], 0x1f);
    assert_string_equal(origin->description, "tea");
    assert_string_equal(origin->customer_email, "a@shop.example");
    assert_string_equal(origin->payment_method, "pm_1");
    assert_string_equal(origin->metadata_json, "{\"a\":\"2\",\"z\":\"1\"}");
    assert_true(origin->capture_manual);
}

static void a_mark_that_is_not_whole_is_none(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {
        "\"metadata\":{}",
        "\"metadata\":null",
        "\"metadata\":{\"paymentsd_key\":\"k\"}",
        "\"metadata\":" MARKED("", HASH_HEX),
        "\"metadata\":" MARKED("k", ""),
        "\"metadata\":" MARKED("k", "0" HASH_HEX),
        "\"metadata\":{\"paymentsd_key\":1,\"paymentsd_hash\":\"" HASH_HEX "\"}",
    };
    assert_string_equal(listed(f, "\"metadata\":" MARKED("k", HASH_HEX))->origin.mark.key, "k");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct payment_origin *origin = &listed(f, wrong[i])->origin;
        assert_null(origin->mark.key);
        assert_null(origin->metadata_json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_status_of_an_intent_means_one_state),
        TEST(the_payment_method_is_read_as_an_id_and_as_an_object),
        TEST(the_action_of_the_payer_is_read),
        TEST(a_member_of_another_type_is_left_out),
        TEST(an_object_without_a_usable_id_is_no_intent),
        TEST(no_failure_reveals_a_secret),
        TEST(a_reason_reveals_no_secret),
        TEST(a_long_message_is_cut_between_characters),
        TEST(the_origin_of_a_payment_is_read),
        TEST(a_mark_that_is_not_whole_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
