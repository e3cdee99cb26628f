// Clocks that jump: no operation or event waits for a time that the clock has left.
#include "clock_fixture.h"

#define YEAR_S (365 * INT64_C(86400))

static void add_event_due_in_s(struct fixture *f, int64_t seconds)
{
    int64_t due_us = wall_us(f) + seconds * US_PER_S;
    run_sql(f, arena_printf(&f->arena,
                            "INSERT INTO outbox (id, merchant_id, livemode, type, body, status, attempts,"
                            " next_attempt_us, created_us) SELECT randomblob(16), id, 0, 'webhook.test',"
                            " '{}', 'retrying', 1, %lld, %lld FROM merchants LIMIT 1",
                            (long long)due_us, (long long)(due_us - seconds * US_PER_S)));
}

static int64_t event_due_in_s(struct fixture *f)
{
    return (sql_number(f, "SELECT max(next_attempt_us) FROM outbox") - wall_us(f)) / US_PER_S;
}

static void a_postponed_webhook_keeps_its_delay_when_the_clock_goes_back(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    jump_s(f, YEAR_S);
    engine_run_s(f, 20);
    add_event_due_in_s(f, 300);
    int written = f->events_written;
    jump_s(f, -YEAR_S);
    engine_run_s(f, 20);
    assert_in_range(event_due_in_s(f), 275, 281);
    assert_true(f->events_written > written);
    jump_s(f, -7200);
    engine_run_s(f, 20);
    assert_in_range(event_due_in_s(f), 250, 262);
}

static void a_postponed_webhook_is_not_late_when_the_clock_went_back_during_a_stop(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    jump_s(f, YEAR_S);
    engine_run_s(f, 20);
    add_event_due_in_s(f, 300);
    jump_s(f, -YEAR_S);
    engine_crash(f); // before anything saw the clock go
    engine_begin(f);
    engine_run_s(f, 1);
    assert_in_range(event_due_in_s(f), 200, 360); // that the service runs is noted once a minute
}

static void a_webhook_is_not_late_when_a_process_with_a_clock_ahead_ended_at_once(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    engine_run_s(f, 20);
    engine_crash(f);
    jump_s(f, 36000);
    engine_begin(f);
    engine_run_s(f, 1);
    add_event_due_in_s(f, 300);
    engine_crash(f);
    jump_s(f, -36000);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_in_range(event_due_in_s(f), 290, 310);
}

// The clock was ahead for so short a time that nobody noted it.
static void a_webhook_that_is_due_in_a_year_is_due_now(void **state)
{
    struct fixture *f = *state;
    add_event_due_in_s(f, YEAR_S);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_true(event_due_in_s(f) <= 0);
}

static void a_payment_is_checked_although_the_clock_was_ahead_before_a_restart(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.otherwise = answer_action();
    buy(f);
    jump_s(f, YEAR_S);
    engine_run_s(f, 100);
    size_t asked = fake_provider_count(&f->provider, PROVIDER_RETRIEVE);
    assert_true(asked > 0);
    jump_s(f, -YEAR_S);
    engine_crash(f); // before anything saw the clock go
    engine_begin(f);
    engine_run_s(f, 60);
    assert_true(fake_provider_count(&f->provider, PROVIDER_RETRIEVE) > asked);
}

static void an_operation_left_by_a_clock_ahead_is_not_checked_all_the_time(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    jump_s(f, YEAR_S);
    f->provider.otherwise = answer_action();
    buy(f);
    jump_s(f, -YEAR_S);
    engine_crash(f); // before anything saw the clock go
    f->provider.call_count = 0;
    engine_begin(f);
    engine_run_s(f, 24 * 3600);
    assert_in_range(f->provider.call_count, 1, 50);
}

static void a_charge_that_was_made_by_a_clock_ahead_is_found(void **state)
{
    struct fixture *f = *state;
    jump_s(f, YEAR_S);
    f->provider.holds = true;
    struct uuid id = buy(f)->payment.id;
    jump_s(f, -YEAR_S);
    engine_crash(f); // before anything saw the clock go
    f->provider.holds = false;
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    engine_begin(f);
    engine_run_s(f, 60);
    const struct fake_call *list = &f->provider.calls[f->provider.call_count - 1];
    assert_int_equal(list->verb, PROVIDER_LIST);
    assert_true(list->created_from_s <= wall_us(f) / US_PER_S - 24 * 3600);
    assert_int_equal(payment_row(f, &id).status, PAYMENT_PENDING);
}

static void a_refund_made_by_a_clock_ahead_is_sent_again_when_its_key_expired_and_it_is_absent(void **state)
{
    struct fixture *f = *state;
    jump_s(f, YEAR_S);
    begin_refund(f);
    jump_s(f, -YEAR_S);
    engine_crash(f); // before anything saw the clock go
    f->provider.otherwise = (struct provider_answer){.outcome = PROVIDER_DONE};
    engine_begin(f);
    engine_run_s(f, 3600);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_REFUND), 1);
    engine_run_s(f, 30 * 3600);
    assert_true(fake_provider_count(&f->provider, PROVIDER_REFUND) > 1);
}

static void a_replaced_webhook_secret_signs_for_a_day_at_most_when_the_clock_goes_back(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    run_sql(f, arena_printf(&f->arena, "UPDATE merchants SET webhook_secret_old_until_us = %lld",
                            (long long)wall_us(f) + YEAR_S * US_PER_S));
    jump_s(f, -7200);
    engine_run_s(f, 20);
    assert_true(sql_number(f, "SELECT max(webhook_secret_old_until_us) FROM merchants") <=
                wall_us(f) + 24 * 3600 * US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_postponed_webhook_keeps_its_delay_when_the_clock_goes_back),
        TEST(a_postponed_webhook_is_not_late_when_the_clock_went_back_during_a_stop),
        TEST(a_webhook_is_not_late_when_a_process_with_a_clock_ahead_ended_at_once),
        TEST(a_webhook_that_is_due_in_a_year_is_due_now),
        TEST(a_payment_is_checked_although_the_clock_was_ahead_before_a_restart),
        TEST(an_operation_left_by_a_clock_ahead_is_not_checked_all_the_time),
        TEST(a_charge_that_was_made_by_a_clock_ahead_is_found),
        TEST(a_refund_made_by_a_clock_ahead_is_sent_again_when_its_key_expired_and_it_is_absent),
        TEST(a_replaced_webhook_secret_signs_for_a_day_at_most_when_the_clock_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
