// What is read from an answer besides its outcome: lists, objects, declines and refusals.
#include "answer_fixture.h"

#include "provider/stripe/event.h"

#define LARGE_OBJECT_VALUES 300
#define LARGE_PAGE_BYTES ((size_t)1024 * 1024)

static void a_list_is_read_with_where_it_goes_on(void **state)
{
    struct fixture *f = *state;
    struct reply reply = {PROVIDER_LIST, HTTP_DONE, 200, NULL, NULL, NULL};
    reply.body = "{\"data\":[" INTENT
                 ",{\"id\":\"pi_2\",\"status\":\"canceled\",\"metadata\":{\"payment_id\":\"p\"}}],"
                 "\"has_more\":true}";
    const struct provider_answer *answer = read_reply(f, reply);
    assert_int_equal(answer->payment_count, 2);
    assert_string_equal(answer->payments[1].payment_id, "p");
    assert_string_equal(answer->next_page, "pi_2");
    reply.body = "{\"data\":[" INTENT "],\"has_more\":false}";
    answer = read_reply(f, reply);
    assert_int_equal(answer->payment_count, 1);
    assert_null(answer->next_page);
}

// What is no event, or none that can be read, must not keep the others from us.
static void a_list_of_events_is_read_without_what_is_none(void **state)
{
    struct fixture *f = *state;
    struct reply reply = {PROVIDER_EVENTS, HTTP_DONE, 200, NULL, NULL, NULL};
    reply.body = "{\"data\":[null,{\"id\":\"evt_1\",\"type\":\"t\",\"data\":{\"object\":" INTENT "}},7,"
                 "{\"id\":\"evt_2\"}],\"has_more\":true}";
    const struct provider_answer *answer = read_reply(f, reply);
    assert_int_equal(answer->outcome, PROVIDER_DONE);
    assert_int_equal(answer->event_count, 1);
    assert_string_equal(answer->events[0].object_id, "pi_1");
    assert_string_equal(answer->next_page, "evt_2");
}

// An event of an old version has the charges in its payment, a payment a last error and many methods.
static void a_full_page_of_large_objects_is_read(void **state)
{
    struct fixture *f = *state;
    struct buf page BUF_CLEANUP = BUF_MAX(LARGE_PAGE_BYTES);
    buf_printf(&page, "{\"data\":[");
    for (int i = 0; i < PROVIDER_PAGE_ITEMS; i++) {
        buf_printf(&page,
                   "%s{\"id\":\"evt_%d\",\"status\":\"succeeded\",\"type\":\"payment_intent.succeeded\","
                   "\"data\":{\"object\":{\"id\":\"pi_%d\",\"charges\":[",
                   i == 0 ? "" : ",", i, i);
        for (int value = 0; value < LARGE_OBJECT_VALUES; value++) {
            buf_printf(&page, "%s{}", value == 0 ? "" : ",");
        }
        buf_printf(&page, "]}}}");
    }
    buf_printf(&page, "],\"has_more\":false}");
    struct reply reply = {PROVIDER_EVENTS, HTTP_DONE, 200, buf_str(&page), NULL, NULL};
    const struct provider_answer *answer = read_reply(f, reply);
    assert_int_equal(answer->outcome, PROVIDER_DONE);
    assert_int_equal(answer->event_count, PROVIDER_PAGE_ITEMS);
    reply.verb = PROVIDER_LIST;
    answer = read_reply(f, reply);
    assert_int_equal(answer->outcome, PROVIDER_DONE);
    assert_int_equal(answer->payment_count, PROVIDER_PAGE_ITEMS);
}

static void a_giant_page_is_distinguished_from_other_failures(void **state)
{
    static const enum provider_verb lists[] = {PROVIDER_LIST, PROVIDER_REFUND_LIST, PROVIDER_EVENTS};
    struct fixture *f = *state;
    struct reply reply = {PROVIDER_CHARGE, HTTP_TOO_LARGE, 200, NULL, NULL, NULL};
    assert_false(read_reply(f, reply)->too_large);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        reply.verb = lists[i];
        reply.result = HTTP_TOO_LARGE;
        assert_true(read_reply(f, reply)->too_large);
        reply.result = HTTP_CUT;
        assert_false(read_reply(f, reply)->too_large);
    }
}

static void a_decline_says_why_and_names_its_intent(void **state)
{
    struct fixture *f = *state;
    const struct provider_answer *answer =
        read_reply(f, (struct reply){PROVIDER_CHARGE, HTTP_DONE, 402, DECLINED, NULL, NULL});
    assert_string_equal(answer->failure.code, "card_declined");
    assert_string_equal(answer->failure.decline_code, "generic_decline");
    assert_string_equal(answer->failure.message, "Your card was declined.");
    assert_true(answer->has_payment);
    assert_string_equal(answer->payment.id, "pi_1");
    assert_int_equal(answer->payment.state, PROVIDER_PAYMENT_ATTEMPT_FAILED);
}

static void a_refusal_without_a_code_is_named_by_its_type(void **state)
{
    struct fixture *f = *state;
    const struct provider_answer *answer = read_reply(
        f, (struct reply){PROVIDER_CHARGE, HTTP_DONE, 400, ERROR("invalid_request_error"), NULL, NULL});
    assert_string_equal(answer->failure.code, "invalid_request_error");
    assert_null(answer->failure.decline_code);
    assert_int_not_equal(answer->failure.message[0], '\0');
    assert_false(answer->has_payment);
}

static void a_refused_key_is_our_own_failure_code(void **state)
{
    struct fixture *f = *state;
    const struct provider_answer *answer = read_reply(
        f, (struct reply){PROVIDER_CHARGE, HTTP_DONE, 401,
                          "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Invalid API Key "
                          "provided: " KEY "\"}}",
                          NULL, NULL});
    assert_string_equal(answer->failure.code, "provider_auth_failed");
    assert_null(strstr(answer->failure.message, "sk_test_"));
}

#define LACKING "The provider refused the secret key: it lacks the permission "

static void the_permission_that_a_restricted_key_lacks_is_named_and_the_key_is_not(void **state)
{
    struct fixture *f = *state;
    static const char before[] =
        "The provided key 'rk_test_****1234' does not have the required permissions for "
        "this endpoint on account 'acct_1'. Having the ";
    static const struct {
        const char *message;
        const char *shown;
    } rows[] = {
        {"'rak_payment_intent_write' permission would allow this request to continue.",
         LACKING "rak_payment_intent_write."},
        {"'rak_customer_write', 'rak_charge_write' permissions would allow this request to continue.",
         LACKING "rak_customer_write, rak_charge_write."},
        {"rak_a rak_b rak_c rak_d rak_e", LACKING "rak_a, rak_b, rak_c, rak_d."},
        {"rak_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         LACKING "rak_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."},
        {"right one.", "The provider refused the secret key: it is unknown, expired or lacks a permission."},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char body[1024];
        snprintf(body, sizeof(body), "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"%s%s\"}}",
                 before, rows[i].message);
        const struct provider_answer *answer =
            read_reply(f, (struct reply){PROVIDER_CHARGE, HTTP_DONE, 403, body, NULL, NULL});
        assert_int_equal(answer->outcome, PROVIDER_NO_AUTH);
        assert_string_equal(answer->failure.code, "provider_auth_failed");
        assert_string_equal(answer->failure.message, rows[i].shown);
    }
}

static void stripes_status_request_id_and_reason_are_kept(void **state)
{
    struct fixture *f = *state;
    struct reply reply = {PROVIDER_CHARGE, HTTP_DONE, 429, ERROR("rate_limit_error"), "request-id", "req_1"};
    const struct provider_answer *answer = read_reply(f, reply);
    assert_int_equal(answer->status, 429);
    assert_string_equal(answer->request_id, "req_1");
    assert_int_equal(answer->retry_after_us, 0);
    assert_string_equal(answer->reason, "rate_limit_error");
    reply.header = "Retry-After";
    static const struct {
        const char *value;
        int64_t us;
    } waits[] = {{"7", 7000000}, {"60", 60000000}, {"3600", 60000000}, {"-1", 0}, {"1.5", 0},
                 {"soon", 0},    {"", 0}};
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        reply.value = waits[i].value;
        assert_int_equal(read_reply(f, reply)->retry_after_us, waits[i].us);
    }
}

static void a_decline_failed_although_its_intent_lacks_the_last_error(void **state)
{
    const struct provider_answer *answer =
        read_reply(*state, (struct reply){PROVIDER_CHARGE, HTTP_DONE, 402,
                                          "{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\","
                                          "\"payment_intent\":{\"id\":\"pi_1\","
                                          "\"status\":\"requires_payment_method\"}}}",
                                          NULL, NULL});
    assert_true(answer->has_payment);
    assert_int_equal(answer->payment.state, PROVIDER_PAYMENT_ATTEMPT_FAILED);
}

// A number that no card bears would not be read back from the database.
static void an_impossible_expiry_is_left_out(void **state)
{
    static const struct {
        const char *body;
        int month;
        int year;
    } rows[] = {
        {"{\"id\":\"pm_1\",\"card\":{\"exp_month\":12,\"exp_year\":2030}}", 12, 2030},
        {"{\"id\":\"pm_1\",\"card\":{\"exp_month\":-1,\"exp_year\":-1}}", 0, 0},
        {"{\"id\":\"pm_1\",\"card\":{\"exp_month\":13,\"exp_year\":10000}}", 0, 0},
        {"{\"id\":\"pm_1\",\"card\":{\"exp_month\":4294967308,\"exp_year\":4294969326}}", 0, 0},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct reply reply = {PROVIDER_ATTACH, HTTP_DONE, 200, rows[i].body, NULL, NULL};
        const struct provider_answer *answer = read_reply(f, reply);
        assert_int_equal(answer->method.exp_month, rows[i].month);
        assert_int_equal(answer->method.exp_year, rows[i].year);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_is_read_with_where_it_goes_on),
        TEST(a_list_of_events_is_read_without_what_is_none),
        TEST(a_full_page_of_large_objects_is_read),
        TEST(a_giant_page_is_distinguished_from_other_failures),
        TEST(a_decline_says_why_and_names_its_intent),
        TEST(a_refusal_without_a_code_is_named_by_its_type),
        TEST(a_refused_key_is_our_own_failure_code),
        TEST(the_permission_that_a_restricted_key_lacks_is_named_and_the_key_is_not),
        TEST(stripes_status_request_id_and_reason_are_kept),
        TEST(a_decline_failed_although_its_intent_lacks_the_last_error),
        TEST(an_impossible_expiry_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
