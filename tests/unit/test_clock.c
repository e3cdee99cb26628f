// Clocks that jump. The age of a charge is unknown once the wall clock was set, so nothing that might be
// beyond its window is sent again.
#include "clock_fixture.h"

#define WINDOW_S 600

// Measured by a clock that nobody sets.
static void assert_nothing_sent_beyond_the_window(const struct fixture *f)
{
    for (size_t i = 0; i < f->provider.call_count; i++) {
        const struct fake_call *call = &f->provider.calls[i];
        int64_t age_us = call->mono_us - f->provider.calls[0].mono_us;
        assert_true(call->verb != PROVIDER_CHARGE || age_us < WINDOW_S * US_PER_S);
    }
}

static void a_charge_is_not_sent_beyond_its_window_whenever_the_clock_goes_back(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    static const int64_t back_s[] = {6, 290, 5000};
    for (size_t i = 0; i < COUNT_OF(back_s); i++) {
        f->provider.call_count = 0;
        buy(f);
        engine_run_s(f, 300);
        jump_s(f, -back_s[i]);
        engine_run_s(f, 1000);
        assert_nothing_sent_beyond_the_window(f);
        assert_true(charges(f) > 0);
        run_sql(f, "DELETE FROM operations");
    }
}

static void many_small_steps_back_do_not_stretch_the_window(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    buy(f);
    for (int i = 0; i < 100; i++) {
        engine_run_s(f, 10);
        jump_s(f, -9);
    }
    assert_nothing_sent_beyond_the_window(f);
}

static void a_charge_is_still_looked_up_after_the_clock_went_back(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buyer_new(f);
    assert_int_equal(buyer_prepare(buyer), OK);
    struct provider_payment reported = listed(f, &buyer->payment.id, "pi_1", PROVIDER_PAYMENT_SUCCEEDED);
    buyer_go(buyer);
    engine_run_s(f, 20);
    jump_s(f, -7200);
    f->provider.otherwise = answer_list(&reported, 1, NULL);
    engine_run_s(f, 10);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void a_new_charge_is_sent_again_although_the_clock_went_back_before(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    engine_run_s(f, 60);
    jump_s(f, -7200);
    engine_run_s(f, 10);
    buy(f);
    engine_run_s(f, 60);
    assert_true(charges(f) > 5);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_LIST), 0);
}

static void a_clock_that_goes_ahead_closes_the_window(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    buy(f);
    engine_run_s(f, 20);
    size_t sent = charges(f);
    jump_s(f, 700);
    engine_run_s(f, 60);
    assert_int_equal(charges(f), sent);
    assert_true(fake_provider_count(&f->provider, PROVIDER_LIST) > 0);
}

// Two lists that are ten minutes apart only because the clock was set prove nothing.
static void a_charge_is_not_called_absent_because_the_clock_went_ahead(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_look_up());
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    struct buyer *buyer = buy(f);
    engine_run_s(f, 10);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_LIST), 1);
    jump_s(f, 3600);
    engine_run_s(f, 500);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
    engine_run_s(f, 200);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_FAILED);
}

// The clock goes back while nothing runs, so that nobody sees it go.
static void a_restart_with_an_earlier_clock_looks_up_at_once_and_does_not_send_again(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    buy(f);
    jump_s(f, -7200);
    engine_crash(f);
    f->provider.holds = false;
    engine_begin(f);
    engine_run_s(f, 60);
    assert_int_equal(charges(f), 1);
    assert_true(fake_provider_count(&f->provider, PROVIDER_LIST) > 0);
}

// The lookup begins at a time when the charge cannot have been made yet, whatever the clock did since.
static void after_a_standstill_the_lookup_reaches_back_to_when_the_charge_was_made(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_unknown());
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    struct buyer *buyer = buy(f);
    int64_t created_us = payment_row(f, &buyer->payment.id).created_us;
    jump_s(f, 7200); // it is really two hours later
    engine_run_s(f, 30);
    assert_int_equal(sql_number(f, "SELECT created_us FROM operations"), created_us);
    const struct fake_call *list = &f->provider.calls[f->provider.call_count - 1];
    assert_int_equal(list->verb, PROVIDER_LIST);
    assert_true(list->created_from_s <= created_us / 1000000);
}

static void a_charge_made_by_a_clock_ahead_is_never_called_absent(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    struct uuid id = buy(f)->payment.id;
    jump_s(f, -7200);
    engine_crash(f);
    f->provider.holds = false;
    engine_begin(f);
    engine_run_s(f, 1500);
    assert_int_equal(payment_row(f, &id).status, PAYMENT_PENDING);
}

// Its key holds for a day, of which a clock that is set cannot make more.
static void a_refund_is_still_sent_under_its_key_after_the_clock_was_set(void **state)
{
    struct fixture *f = *state;
    static const int64_t steps_s[] = {3600, -7200};
    begin_refund(f);
    for (size_t i = 0; i < COUNT_OF(steps_s); i++) {
        size_t sent = fake_provider_count(&f->provider, PROVIDER_REFUND);
        jump_s(f, steps_s[i]);
        engine_run_s(f, 30);
        assert_true(fake_provider_count(&f->provider, PROVIDER_REFUND) > sent);
    }
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_REFUND_LIST), 0);
}

static void a_refund_is_not_sent_after_its_key_expired_whenever_the_clock_goes_back(void **state)
{
    struct fixture *f = *state;
    begin_refund(f);
    f->provider.otherwise = answer_no_auth(); // it is asked at growing intervals
    for (int i = 0; i < 30; i++) {
        engine_run_s(f, 3600);
        jump_s(f, -3500);
    }
    for (size_t i = 0; i < f->provider.call_count; i++) {
        const struct fake_call *call = &f->provider.calls[i];
        assert_true(call->verb != PROVIDER_REFUND || call->mono_us < 23 * 3600 * US_PER_S);
    }
    assert_true(fake_provider_count(&f->provider, PROVIDER_REFUND_LIST) > 0);
}

// Its key contains a time, and that is a new one when the clock went back.
static void a_capture_is_only_read_after_the_clock_was_set(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct prepared capture = prepare(f, prepare_capture);
    fake_provider_will(&f->provider, answer_unknown());
    prepared_go(&capture);
    f->provider.otherwise = answer_unknown();
    jump_s(f, -7200);
    engine_run_s(f, 300);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_CAPTURE), 1);
    assert_true(fake_provider_count(&f->provider, PROVIDER_RETRIEVE) > 0);
}

// Its times are as the clock had them.
static void a_payments_history_is_listed_in_the_order_in_which_it_happened(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_action());
    struct buyer *buyer = buy(f);
    jump_s(f, -7200);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 60);
    assert_string_equal(history_of(f, &buyer->payment.id),
                        "created pending api, action required pending api, completed completed recovery");
}

// Sent twice it does no harm; read instead, it would be taken for refused.
static void a_cancel_is_sent_again_although_the_clock_was_set(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct prepared cancel = prepare(f, prepare_cancel_of_authorised);
    prepared_go(&cancel);
    jump_s(f, -7200);
    engine_run_s(f, 60);
    assert_true(f->provider.call_count > 1);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_CANCEL), f->provider.call_count);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_CANCELED);
    engine_run_s(f, 60);
    assert_int_equal(payment_row(f, &PAYMENT_ID).status, PAYMENT_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(after_a_standstill_the_lookup_reaches_back_to_when_the_charge_was_made),
        TEST(a_charge_made_by_a_clock_ahead_is_never_called_absent),
        TEST(a_charge_is_not_sent_beyond_its_window_whenever_the_clock_goes_back),
        TEST(many_small_steps_back_do_not_stretch_the_window),
        TEST(a_cancel_is_sent_again_although_the_clock_was_set),
        TEST(a_charge_is_still_looked_up_after_the_clock_went_back),
        TEST(a_new_charge_is_sent_again_although_the_clock_went_back_before),
        TEST(a_clock_that_goes_ahead_closes_the_window),
        TEST(a_charge_is_not_called_absent_because_the_clock_went_ahead),
        TEST(a_restart_with_an_earlier_clock_looks_up_at_once_and_does_not_send_again),
        TEST(a_refund_is_still_sent_under_its_key_after_the_clock_was_set),
        TEST(a_refund_is_not_sent_after_its_key_expired_whenever_the_clock_goes_back),
        TEST(a_capture_is_only_read_after_the_clock_was_set),
        TEST(a_payments_history_is_listed_in_the_order_in_which_it_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
