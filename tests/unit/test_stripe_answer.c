// The outcome of each kind of answer from Stripe. It decides whether money may have moved, so every status,
// body and header that is not a definite refusal must leave the outcome unknown.
#include "answer_fixture.h"

#define REPLAYED "Idempotent-Replayed", "true"
#define NEVER_AGAIN "Stripe-Should-Retry", "false"
#define AGAIN "Stripe-Should-Retry", "true"
#define EMPTY_LIST "{\"object\":\"list\",\"data\":[],\"has_more\":false}"

struct row {
    const char *what;
    struct reply reply;
    enum provider_outcome outcome;
};

static void check_rows(struct fixture *f, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct provider_answer *answer = read_reply(f, rows[i].reply);
        bool unknown = answer->outcome == PROVIDER_UNKNOWN || answer->outcome == PROVIDER_LOOK_UP;
        if (answer->outcome != rows[i].outcome) {
            fail_msg("%s: outcome %d", rows[i].what, (int)answer->outcome);
        }
        if (unknown != (answer->reason != NULL) || (unknown && answer->has_payment)) {
            fail_msg("%s: an outcome is unknown exactly when it has a reason, and then holds no intent",
                     rows[i].what);
        }
    }
}

static void a_call_without_an_answer_is_unknown(void **state)
{
    static const struct row rows[] = {
        {"no connection", {PROVIDER_CHARGE, HTTP_NOT_SENT, 0, NULL, NULL, NULL}, PROVIDER_UNKNOWN},
        {"too late to send", {PROVIDER_CHARGE, HTTP_TOO_LATE, 0, NULL, NULL, NULL}, PROVIDER_LOOK_UP},
        {"a cut answer", {PROVIDER_CHARGE, HTTP_CUT, 0, NULL, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a cut answer of 200", {PROVIDER_CHARGE, HTTP_CUT, 200, INTENT, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a cut answer of 402", {PROVIDER_CHARGE, HTTP_CUT, 402, DECLINED, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a forbidden address", {PROVIDER_CHARGE, HTTP_FORBIDDEN, 0, NULL, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a giant answer", {PROVIDER_CHARGE, HTTP_TOO_LARGE, 200, INTENT, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a cut look-up", {PROVIDER_RETRIEVE, HTTP_CUT, 0, NULL, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a cut list", {PROVIDER_LIST, HTTP_CUT, 200, EMPTY_LIST, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a cut cancel", {PROVIDER_CANCEL, HTTP_CUT, 0, NULL, NULL, NULL}, PROVIDER_UNKNOWN},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void a_success_that_does_not_show_the_object_is_unknown(void **state)
{
    static const struct row rows[] = {
        {"no body", {PROVIDER_CHARGE, HTTP_DONE, 200, NULL, NULL, NULL}, PROVIDER_UNKNOWN},
        {"not JSON", {PROVIDER_CHARGE, HTTP_DONE, 200, "<html>", NULL, NULL}, PROVIDER_UNKNOWN},
        {"half of it",
         {PROVIDER_CHARGE, HTTP_DONE, 200, "{\"id\":\"pi_1\",\"sta", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"an array", {PROVIDER_CHARGE, HTTP_DONE, 200, "[" INTENT "]", NULL, NULL}, PROVIDER_UNKNOWN},
        {"no id",
         {PROVIDER_CHARGE, HTTP_DONE, 200, "{\"status\":\"succeeded\"}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"an empty id",
         {PROVIDER_CHARGE, HTTP_DONE, 200, "{\"id\":\"\",\"status\":\"succeeded\"}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"an id that is a number",
         {PROVIDER_CHARGE, HTTP_DONE, 200, "{\"id\":1,\"status\":\"succeeded\"}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"no status", {PROVIDER_CHARGE, HTTP_DONE, 200, "{\"id\":\"pi_1\"}", NULL, NULL}, PROVIDER_UNKNOWN},
        {"204", {PROVIDER_CHARGE, HTTP_DONE, 204, NULL, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a refusal under 200",
         {PROVIDER_CHARGE, HTTP_DONE, 200, ERROR("card_error"), NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a redirect", {PROVIDER_CHARGE, HTTP_DONE, 302, NULL, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a list without data",
         {PROVIDER_LIST, HTTP_DONE, 200, "{\"object\":\"list\"}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a list whose data is none",
         {PROVIDER_LIST, HTTP_DONE, 200, "{\"data\":{},\"has_more\":false}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a list with an unreadable item",
         {PROVIDER_LIST, HTTP_DONE, 200, "{\"data\":[" INTENT ",{\"id\":\"pi_2\"}],\"has_more\":false}", NULL,
          NULL},
         PROVIDER_UNKNOWN},
        {"a list with has_more whose last item has no id",
         {PROVIDER_EVENTS, HTTP_DONE, 200, "{\"data\":[7],\"has_more\":true}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a list that does not say whether it is the last page",
         {PROVIDER_LIST, HTTP_DONE, 200, "{\"data\":[]}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"an empty page that is not the last",
         {PROVIDER_LIST, HTTP_DONE, 200, "{\"data\":[],\"has_more\":true}", NULL, NULL},
         PROVIDER_UNKNOWN},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void a_fault_of_stripes_is_unknown(void **state)
{
    static const int statuses[] = {409, 424, 429, 500, 502, 503, 504, 599};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        const struct row rows[] = {
            {"in its form",
             {PROVIDER_CHARGE, HTTP_DONE, statuses[i], ERROR("api_error"), NULL, NULL},
             PROVIDER_UNKNOWN},
            {"that may be repeated",
             {PROVIDER_CHARGE, HTTP_DONE, statuses[i], ERROR("api_error"), AGAIN},
             PROVIDER_UNKNOWN},
            {"with a page of HTML",
             {PROVIDER_CHARGE, HTTP_DONE, statuses[i], "<html>", NULL, NULL},
             PROVIDER_UNKNOWN},
            {"with nothing", {PROVIDER_CHARGE, HTTP_DONE, statuses[i], NULL, NULL, NULL}, PROVIDER_UNKNOWN},
            {"with an intent",
             {PROVIDER_CHARGE, HTTP_DONE, statuses[i], INTENT, NULL, NULL},
             PROVIDER_UNKNOWN},
            {"of a look-up",
             {PROVIDER_RETRIEVE, HTTP_DONE, statuses[i], ERROR("api_error"), NULL, NULL},
             PROVIDER_UNKNOWN},
            {"of a list",
             {PROVIDER_LIST, HTTP_DONE, statuses[i], ERROR("api_error"), NULL, NULL},
             PROVIDER_UNKNOWN},
            {"of a cancel",
             {PROVIDER_CANCEL, HTTP_DONE, statuses[i], ERROR("api_error"), NULL, NULL},
             PROVIDER_UNKNOWN},
        };
        check_rows(*state, rows, COUNT_OF(rows));
    }
}

#define IN_USE "{\"error\":{\"type\":\"idempotency_error\",\"code\":\"idempotency_key_in_use\"}}"

// A stored 5xx would only be answered again, and so would a request that came under another's key.
static void a_call_whose_answer_would_only_be_replayed_is_looked_up(void **state)
{
    static const struct row rows[] = {
        {"a replayed 500", {PROVIDER_CHARGE, HTTP_DONE, 500, ERROR("api_error"), REPLAYED}, PROVIDER_LOOK_UP},
        {"a replayed 503 of HTML", {PROVIDER_CHARGE, HTTP_DONE, 503, "<html>", REPLAYED}, PROVIDER_LOOK_UP},
        {"a 500 not to be repeated",
         {PROVIDER_CHARGE, HTTP_DONE, 500, ERROR("api_error"), NEVER_AGAIN},
         PROVIDER_LOOK_UP},
        {"a replayed 409 is only busy",
         {PROVIDER_CHARGE, HTTP_DONE, 409, ERROR("api_error"), REPLAYED},
         PROVIDER_UNKNOWN},
        {"a 409 not to be repeated",
         {PROVIDER_CHARGE, HTTP_DONE, 409, ERROR("api_error"), NEVER_AGAIN},
         PROVIDER_LOOK_UP},
        {"a 424 not to be repeated",
         {PROVIDER_CHARGE, HTTP_DONE, 424, ERROR("api_error"), NEVER_AGAIN},
         PROVIDER_LOOK_UP},
        {"a busy 429", {PROVIDER_CHARGE, HTTP_DONE, 429, ERROR("api_error"), NEVER_AGAIN}, PROVIDER_UNKNOWN},
        {"idempotency_error 400",
         {PROVIDER_CHARGE, HTTP_DONE, 400, ERROR("idempotency_error"), NULL, NULL},
         PROVIDER_LOOK_UP},
        {"idempotency_error 409",
         {PROVIDER_CHARGE, HTTP_DONE, 409, ERROR("idempotency_error"), NULL, NULL},
         PROVIDER_LOOK_UP},
        {"idempotency_error 500",
         {PROVIDER_CHARGE, HTTP_DONE, 500, ERROR("idempotency_error"), NULL, NULL},
         PROVIDER_LOOK_UP},
        {"a 409 of a key in use", {PROVIDER_CHARGE, HTTP_DONE, 409, IN_USE, NULL, NULL}, PROVIDER_UNKNOWN},
        {"a 400 of a key in use", {PROVIDER_CHARGE, HTTP_DONE, 400, IN_USE, NULL, NULL}, PROVIDER_LOOK_UP},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void a_refusal_that_stripe_asks_to_repeat_is_not_final(void **state)
{
    static const int statuses[] = {400, 401, 402, 403, 404};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        const struct row row = {
            "asked for", {PROVIDER_CHARGE, HTTP_DONE, statuses[i], DECLINED, AGAIN}, PROVIDER_UNKNOWN};
        check_rows(*state, &row, 1);
        const struct row last = {
            "forbidden", {PROVIDER_CHARGE, HTTP_DONE, statuses[i], DECLINED, NEVER_AGAIN}, PROVIDER_REFUSED};
        check_rows(*state, &last, statuses[i] != 401 && statuses[i] != 403);
    }
}

static void only_stripes_own_refusal_is_a_refusal(void **state)
{
    static const struct row rows[] = {
        {"402", {PROVIDER_CHARGE, HTTP_DONE, 402, DECLINED, NULL, NULL}, PROVIDER_REFUSED},
        {"a replayed 402", {PROVIDER_CHARGE, HTTP_DONE, 402, DECLINED, REPLAYED}, PROVIDER_REFUSED},
        {"400",
         {PROVIDER_CHARGE, HTTP_DONE, 400, ERROR("invalid_request_error"), NULL, NULL},
         PROVIDER_REFUSED},
        {"404",
         {PROVIDER_RETRIEVE, HTTP_DONE, 404, ERROR("invalid_request_error"), NULL, NULL},
         PROVIDER_REFUSED},
        {"a 400 of HTML", {PROVIDER_CHARGE, HTTP_DONE, 400, "<html>", NULL, NULL}, PROVIDER_UNKNOWN},
        {"a 402 without an error", {PROVIDER_CHARGE, HTTP_DONE, 402, "{}", NULL, NULL}, PROVIDER_UNKNOWN},
        {"a 402 with an error that is text",
         {PROVIDER_CHARGE, HTTP_DONE, 402, "{\"error\":\"declined\"}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a 402 with an error without type",
         {PROVIDER_CHARGE, HTTP_DONE, 402, "{\"error\":{\"code\":\"card_declined\"}}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a 404 of some proxy", {PROVIDER_CHARGE, HTTP_DONE, 404, "not found", NULL, NULL}, PROVIDER_UNKNOWN},
        {"405",
         {PROVIDER_CHARGE, HTTP_DONE, 405, ERROR("invalid_request_error"), NULL, NULL},
         PROVIDER_UNKNOWN},
        {"408", {PROVIDER_CHARGE, HTTP_DONE, 408, ERROR("api_error"), NULL, NULL}, PROVIDER_UNKNOWN},
        {"418", {PROVIDER_CHARGE, HTTP_DONE, 418, ERROR("card_error"), NULL, NULL}, PROVIDER_UNKNOWN},
        {"401",
         {PROVIDER_CHARGE, HTTP_DONE, 401, ERROR("invalid_request_error"), NULL, NULL},
         PROVIDER_NO_AUTH},
        {"403",
         {PROVIDER_CHARGE, HTTP_DONE, 403, ERROR("invalid_request_error"), NULL, NULL},
         PROVIDER_NO_AUTH},
        {"a 401 of some proxy", {PROVIDER_CHARGE, HTTP_DONE, 401, "<html>", NULL, NULL}, PROVIDER_UNKNOWN},
        {"a 403 of some proxy", {PROVIDER_CHARGE, HTTP_DONE, 403, "<html>", NULL, NULL}, PROVIDER_UNKNOWN},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void a_successful_call_is_done(void **state)
{
    struct fixture *f = *state;
    static const struct row rows[] = {
        {"a charge", {PROVIDER_CHARGE, HTTP_DONE, 200, INTENT, NULL, NULL}, PROVIDER_DONE},
        {"a replayed charge", {PROVIDER_CHARGE, HTTP_DONE, 200, INTENT, REPLAYED}, PROVIDER_DONE},
        {"a look-up", {PROVIDER_RETRIEVE, HTTP_DONE, 200, INTENT, NULL, NULL}, PROVIDER_DONE},
        {"a cancel", {PROVIDER_CANCEL, HTTP_DONE, 200, INTENT, NULL, NULL}, PROVIDER_DONE},
        {"an empty list", {PROVIDER_LIST, HTTP_DONE, 200, EMPTY_LIST, NULL, NULL}, PROVIDER_DONE},
    };
    check_rows(f, rows, COUNT_OF(rows));
    const struct provider_answer *answer = read_reply(f, rows[0].reply);
    assert_true(answer->has_payment);
    assert_string_equal(answer->payment.id, "pi_1");
    assert_false(read_reply(f, rows[4].reply)->has_payment);
}

// Only Stripe and the network say whether Stripe is unreachable and whether an account must slow down.
static void unreachable_and_rate_limited_answers_are_distinguished(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct reply reply;
        bool unreachable, limited;
    } rows[] = {
        {{PROVIDER_CHARGE, HTTP_NOT_SENT, 0, NULL, NULL, NULL}, true, false},
        {{PROVIDER_CHARGE, HTTP_CUT, 0, NULL, NULL, NULL}, true, false},
        {{PROVIDER_CHARGE, HTTP_TOO_LARGE, 0, NULL, NULL, NULL}, false, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 200, "<html>", NULL, NULL}, true, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 503, "<html>", NULL, NULL}, true, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 500, ERROR("api_error"), NULL, NULL}, true, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 500, ERROR("api_error"), REPLAYED}, false, false}, // it answers
        {{PROVIDER_CHARGE, HTTP_DONE, 401, ERROR("invalid_request_error"), NULL, NULL}, false, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 402, DECLINED, NULL, NULL}, false, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 409, ERROR("api_error"), NULL, NULL}, true, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 424, ERROR("api_error"), NULL, NULL}, true, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 409,
          "{\"error\":{\"type\":\"idempotency_error\",\"code\":\"idempotency_key_in_use\"}}", NULL, NULL},
         false,
         false},
        {{PROVIDER_CHARGE, HTTP_DONE, 429, ERROR("rate_limit_error"), NULL, NULL}, false, true},
        {{PROVIDER_CHARGE, HTTP_DONE, 429, "<html>", NULL, NULL}, false, true},
        {{PROVIDER_CHARGE, HTTP_DONE, 429,
          "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"lock_timeout\"}}", NULL, NULL},
         false,
         false},
        {{PROVIDER_CHARGE, HTTP_DONE, 200, INTENT, NULL, NULL}, false, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 404, "{\"message\":\"no route\"}", NULL, NULL}, true, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 429, "{\"message\":\"slow down\"}", NULL, NULL}, false, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct provider_answer *answer = read_reply(f, rows[i].reply);
        assert_int_equal(answer->unreachable, rows[i].unreachable);
        assert_int_equal(answer->limited, rows[i].limited);
    }
}

static void foreign_answers_are_distinguished_from_stripes_faults_and_refusals(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct reply reply;
        bool foreign;
    } rows[] = {
        {{PROVIDER_CHARGE, HTTP_DONE, 404, "{\"message\":\"no route\"}", NULL, NULL}, true},
        {{PROVIDER_RETRIEVE, HTTP_DONE, 404, "<html>", NULL, NULL}, true},
        {{PROVIDER_CHARGE, HTTP_DONE, 200, "<html>", NULL, NULL}, true},
        {{PROVIDER_RETRIEVE, HTTP_DONE, 404, ERROR("invalid_request_error"), NULL, NULL}, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 502, "<html>", NULL, NULL}, false},
        {{PROVIDER_CHARGE, HTTP_DONE, 429, "<html>", NULL, NULL}, false},
        {{PROVIDER_CHARGE, HTTP_NOT_SENT, 0, NULL, NULL, NULL}, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct provider_answer *answer = read_reply(f, rows[i].reply);
        assert_int_equal(answer->foreign, rows[i].foreign);
        assert_true(!answer->foreign || answer->outcome == PROVIDER_UNKNOWN);
    }
}

// With a test key: an object that says that it is live is none of that account's.
static void an_object_of_the_other_mode_is_not_believed(void **state)
{
    static const struct row rows[] = {
        {"a charge",
         {PROVIDER_CHARGE, HTTP_DONE, 200, "{\"id\":\"pi_1\",\"status\":\"succeeded\",\"livemode\":true}",
          NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a refusal",
         {PROVIDER_CHARGE, HTTP_DONE, 402,
          "{\"error\":{\"type\":\"card_error\",\"payment_intent\":{\"id\":\"pi_1\",\"livemode\":true,"
          "\"status\":\"requires_payment_method\"}}}",
          NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a list",
         {PROVIDER_LIST, HTTP_DONE, 200,
          "{\"data\":[{\"id\":\"pi_1\",\"status\":\"succeeded\",\"livemode\":true}],\"has_more\":false}",
          NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a customer",
         {PROVIDER_CUSTOMER, HTTP_DONE, 200, "{\"id\":\"cus_1\",\"livemode\":true}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"a method",
         {PROVIDER_ATTACH, HTTP_DONE, 200, "{\"id\":\"pm_1\",\"livemode\":true}", NULL, NULL},
         PROVIDER_UNKNOWN},
        {"its own mode",
         {PROVIDER_CHARGE, HTTP_DONE, 200, "{\"id\":\"pi_1\",\"status\":\"succeeded\",\"livemode\":false}",
          NULL, NULL},
         PROVIDER_DONE},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_without_an_answer_is_unknown),
        TEST(a_success_that_does_not_show_the_object_is_unknown),
        TEST(a_fault_of_stripes_is_unknown),
        TEST(a_call_whose_answer_would_only_be_replayed_is_looked_up),
        TEST(a_refusal_that_stripe_asks_to_repeat_is_not_final),
        TEST(only_stripes_own_refusal_is_a_refusal),
        TEST(a_successful_call_is_done),
        TEST(unreachable_and_rate_limited_answers_are_distinguished),
        TEST(foreign_answers_are_distinguished_from_stripes_faults_and_refusals),
        TEST(an_object_of_the_other_mode_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
