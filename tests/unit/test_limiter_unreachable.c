// An unreachable provider: which merchants are held back, what is probed meanwhile, and how the limiter
// notices that the provider is back. Runs through the engine on a virtual clock.
#include "limiter_fixture.h"

// --- the circuit

static void make_unreachable(struct fixture *f)
{
    f->provider.otherwise = answer_unreachable();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(stats_of(f).circuit_open, 0);
        buy(f);
    }
    assert_int_equal(stats_of(f).circuit_open, 1);
}

static void an_unreachable_provider_is_only_probed_and_nothing_new_is_recorded(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    make_unreachable(f);
    assert_int_equal(buyer_prepare(buyer_new(f)), ERR_OVERLOADED);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments"), 10);
    size_t before = f->provider.call_count;
    engine_run_s(f, 120);
    assert_in_range(f->provider.call_count - before, 120 / 5, 60);
    for (size_t i = before + 1; i < f->provider.call_count; i++) {
        assert_true(f->provider.calls[i].mono_us - f->provider.calls[i - 1].mono_us <= 5 * US_PER_S);
    }
    assert_int_equal(stats_of(f).circuit_opened_total, 1);
}

static void all_operations_go_on_within_the_interval_once_the_provider_is_back(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    make_unreachable(f);
    engine_run_s(f, 60);
    f->provider.otherwise = answer_not_found();
    engine_run_s(f, 10); // a probe within 5 s, the others within 5 s after it
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE kind = 'charge'"), 0);
    assert_int_equal(stats_of(f).circuit_open, 0);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    assert_string_equal(answered_status(buy(f)), "completed");
}

// New calls that would succeed must not stay refused because old ones never will.
static void a_new_call_may_be_the_probe(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    make_unreachable(f);
    engine_run_s(f, 6);
    f->provider.holds = true;
    struct buyer *buyer = buyer_new(f);
    assert_int_equal(buyer_prepare(buyer), OK);
    assert_int_equal(buyer_prepare(buyer_new(f)), ERR_OVERLOADED); // one probe is enough
    buyer_go(buyer);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(stats_of(f).circuit_open, 0);
    assert_string_equal(answered_status(buyer), "completed");
    f->provider.holds = false;
}

// Before the others, one operation is due that is still in progress, two that cannot be planned, and five
// that are already done.
static void an_operation_without_a_call_uses_no_probe(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    buy(f);
    f->provider.holds = false;
    make_unreachable(f);
    struct buyer *stranger = stranger_new(f);
    assert_int_equal(buyer_prepare(stranger), OK);
    buyer_go(stranger);  // now all merchants are held back
    engine_run_s(f, 60); // probes are seconds apart by now
    run_sql(f, "UPDATE operations SET next_attempt_us = 4");
    run_sql(f, "UPDATE operations SET next_attempt_us = 3, kind = 'sync' WHERE subject_id IN"
               " (SELECT subject_id FROM operations ORDER BY subject_id DESC LIMIT 5)");
    run_sql(f, "UPDATE operations SET next_attempt_us = 2, credential_version_id = zeroblob(16)"
               " WHERE subject_id IN (SELECT subject_id FROM operations ORDER BY subject_id LIMIT 3)");
    run_sql(f, "UPDATE operations SET next_attempt_us = 1 WHERE subject_id ="
               " (SELECT min(subject_id) FROM operations)");
    size_t before = charges(f);
    engine_run_s(f, 6);
    assert_in_range(charges(f) - before, 1, 3);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE kind = 'sync'"), 0);
}

static void a_paused_account_makes_no_probe(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    buy(f);
    f->provider.holds = false;
    struct provider_answer limited = answer_limited();
    limited.retry_after_us = 60 * US_PER_S;
    fake_provider_will(&f->provider, limited);
    buy(f);
    f->provider.otherwise = answer_unreachable();
    for (int i = 0; i < 9; i++) {
        struct buyer *stranger = stranger_new(f);
        assert_int_equal(buyer_prepare(stranger), OK);
        buyer_go(stranger);
    }
    fake_loop_run_for(&f->loop, 0);
    run_sql(f, "UPDATE operations SET next_attempt_us = 1 WHERE merchant_id ="
               " (SELECT merchant_id FROM operations ORDER BY subject_id LIMIT 1)");
    fake_provider_answer(&f->provider, answer_unreachable());
    assert_int_equal(stats_of(f).circuit_open, 1);
    size_t before = f->provider.call_count;
    fake_loop_run_for(&f->loop, US_PER_S / 2); // the first probe is due by then, the second is not
    assert_int_equal(f->provider.call_count, before + 1);
}

static void one_merchants_failures_hold_back_only_that_merchant_until_another_fails(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    make_unreachable(f);
    struct buyer *stranger = stranger_new(f);
    assert_int_equal(buyer_prepare(stranger), OK);
    buyer_go(stranger); // gets no answer either
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(buyer_prepare(stranger_new(f)), ERR_OVERLOADED);
}

static void answers_of_any_kind_keep_the_circuit_closed(void **state)
{
    struct fixture *f = *state;
    const struct provider_answer answers[] = {answer_no_auth(), answer_declined(), answer_limited()};
    engine_begin(f);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        for (int n = 0; n < 9; n++) {
            fake_provider_will(&f->provider, answer_unreachable());
            buy(f);
        }
        fake_provider_will(&f->provider, answers[i]);
        buy(f);
        assert_int_equal(stats_of(f).circuit_open, 0);
        run_sql(f, "DELETE FROM operations");
        engine_run_s(f, 5);
    }
}

static void an_operation_that_fails_repeatedly_does_not_open_the_circuit(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.otherwise = answer_unreachable();
    buy(f);
    engine_run_s(f, 300);
    assert_true(f->provider.call_count > 20);
    assert_int_equal(stats_of(f).circuit_open, 0);
}

// A call that was recorded just before the circuit opened, and never sent, is later sent as a first attempt.
static void a_call_that_was_not_sent_before_the_circuit_opened_is_not_unresolved(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *late = buyer_new(f);
    assert_int_equal(buyer_prepare(late), OK);
    make_unreachable(f);
    size_t before = f->provider.call_count;
    buyer_go(late);
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(f->provider.call_count, before);
    assert_int_equal(
        sql_number(
            f, "SELECT count(*) FROM operations WHERE kind = 'charge' AND attempts = 0 AND unresolved = 0"),
        1);
    f->provider.otherwise = answer_no_auth();
    engine_run_s(f, 20);
    assert_int_equal(payment_row(f, &late->payment.id).status, PAYMENT_FAILED);
    assert_string_equal(payment_row(f, &late->payment.id).failure.code, "provider_auth_failed");
}

static void a_charge_that_the_circuit_held_back_is_not_sent_after_its_window(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *late = buyer_new(f);
    assert_int_equal(buyer_prepare(late), OK);
    make_unreachable(f);
    f->loop.mono_us += 601 * US_PER_S;
    size_t before = charges(f);
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    buyer_go(late);
    engine_run_s(f, 1300);
    assert_int_equal(charges(f), before);
    assert_string_equal(payment_row(f, &late->payment.id).failure.code, "provider_unavailable");
}

// --- a provider that answers nothing, and is back

static void hanging_calls_are_sent_again_once_a_later_call_is_answered(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    for (int i = 0; i < 12; i++) {
        buy(f);
        engine_run_s(f, 1);
    }
    f->provider.holds = false;
    f->provider.otherwise = answer_not_found();
    struct buyer *later = buyer_new(f);
    assert_int_equal(buyer_prepare(later), OK);
    buyer_go(later);
    engine_run_s(f, 5);
    assert_string_equal(answered_status(later), "failed");
    assert_int_equal(charges(f), 12 + 1 + 12);
    for (size_t i = 0; i < 12; i++) {
        assert_string_equal(answered_status(f->buyers[i]), "failed");
    }
    assert_int_equal(stats_of(f).circuit_opened_total, 0); // their failures belong to the time before
}

static void an_account_whose_calls_all_hang_still_notices_that_the_provider_is_back(void **state)
{
    struct fixture *f = *state;
    f->config.operations_max = 1000;
    f->provider.holds = true;
    engine_begin(f);
    for (int i = 0; i < 280; i++) {
        buy(f);
    }
    engine_run_s(f, 4);
    assert_int_equal(charges(f), 256);
    engine_run_s(f, 5);
    assert_int_equal(charges(f), 257);
    f->provider.holds = false;
    f->provider.otherwise = answer_not_found();
    engine_run_s(f, 8);
    for (size_t i = 0; i < 280; i++) {
        assert_string_equal(answered_status(f->buyers[i]), "failed");
    }
}

static void a_slow_call_is_not_abandoned_while_others_are_answered(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    struct buyer *slow = buy(f);
    f->provider.holds = false;
    f->provider.otherwise = answer_not_found();
    for (int i = 0; i < 12; i++) {
        engine_run_s(f, 5);
        assert_string_equal(answered_status(buy(f)), "failed");
    }
    assert_int_equal(charges(f), 13);
    fake_provider_answer(&f->provider, answer_not_found());
    engine_run_s(f, 1);
    assert_int_equal(payment_row(f, &slow->payment.id).status, PAYMENT_FAILED);
    assert_int_equal(charges(f), 13);
}

static void a_time_without_calls_is_no_silence(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.otherwise = answer_not_found();
    buy(f);
    engine_run_s(f, 600);
    f->provider.holds = true;
    buy(f);
    f->provider.holds = false;
    buy(f); // is answered before the other is
    engine_run_s(f, 5);
    assert_int_equal(charges(f), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unreachable_provider_is_only_probed_and_nothing_new_is_recorded),
        TEST(all_operations_go_on_within_the_interval_once_the_provider_is_back),
        TEST(a_new_call_may_be_the_probe),
        TEST(an_operation_without_a_call_uses_no_probe),
        TEST(a_paused_account_makes_no_probe),
        TEST(one_merchants_failures_hold_back_only_that_merchant_until_another_fails),
        TEST(answers_of_any_kind_keep_the_circuit_closed),
        TEST(an_operation_that_fails_repeatedly_does_not_open_the_circuit),
        TEST(a_call_that_was_not_sent_before_the_circuit_opened_is_not_unresolved),
        TEST(a_charge_that_the_circuit_held_back_is_not_sent_after_its_window),
        TEST(hanging_calls_are_sent_again_once_a_later_call_is_answered),
        TEST(an_account_whose_calls_all_hang_still_notices_that_the_provider_is_back),
        TEST(a_slow_call_is_not_abandoned_while_others_are_answered),
        TEST(a_time_without_calls_is_no_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
