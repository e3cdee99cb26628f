// A process that dies while a charge is under way.
#include "engine_fixture.h"

static void a_crash_while_the_provider_is_called_sends_the_same_again(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_crash(f);
    f->provider.holds = false;
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_int_equal(f->provider.call_count, 2);
    assert_int_equal(f->provider.calls[1].verb, PROVIDER_CHARGE);
    assert_string_equal(f->provider.calls[1].idempotency_key, f->provider.calls[0].idempotency_key);
    assert_string_equal(f->provider.calls[1].body, f->provider.calls[0].body);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
    assert_string_equal(history_of(f, &buyer->payment.id),
                        "created pending api, completed completed recovery");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM replies"), 1); // for the client's repeat
}

static void a_crash_before_the_provider_is_called_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct buyer *buyer = buyer_new(f);
    assert_int_equal(buyer_prepare(buyer), OK);
    engine_crash(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_int_equal(f->provider.call_count, 1);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void a_crash_that_lasts_beyond_the_window_only_looks_up(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_crash(f);
    f->provider.holds = false;
    engine_run_s(f, 600);
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    engine_begin(f);
    engine_run_s(f, 1200);
    assert_int_equal(charges(f), 1);
    assert_int_equal(lists(f), 2);
    assert_string_equal(payment_row(f, &buyer->payment.id).failure.code, "provider_unavailable");
}

// It may have been carried out, so a key that is refused now proves nothing.
static void a_lost_attempt_is_not_failed_by_a_refused_key(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_crash(f);
    f->provider.holds = false;
    f->provider.otherwise = answer_no_auth();
    engine_begin(f);
    engine_run_s(f, 60);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
}

static void an_engine_is_ready_once_what_was_open_is_scheduled(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    buy(f);
    engine_crash(f);
    assert_false(engine_ready(f->engine));
    engine_begin(f);
    assert_true(engine_ready(f->engine));
    assert_int_equal(f->became_ready, 1);
    assert_int_equal(f->provider.call_count, 2);
    engine_run_s(f, 60);
    assert_int_equal(f->became_ready, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_crash_while_the_provider_is_called_sends_the_same_again),
        TEST(a_crash_before_the_provider_is_called_loses_nothing),
        TEST(a_crash_that_lasts_beyond_the_window_only_looks_up),
        TEST(a_lost_attempt_is_not_failed_by_a_refused_key),
        TEST(an_engine_is_ready_once_what_was_open_is_scheduled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
