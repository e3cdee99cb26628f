// Who may call the provider, and when: an account's pace, API requests beside recovery, the slots that an
// account leaves to others, pauses, and the end. Runs through the engine on a virtual clock.
#include "limiter_fixture.h"

// --- pace

static void a_backlog_is_called_at_the_accounts_pace(void **state)
{
    struct fixture *f = *state;
    leave_open(f, 100);
    f->provider.otherwise = answer_not_found();
    begin_at(f, 10);
    engine_run_s(f, 12);
    assert_in_range(f->provider.call_count, 100, 102); // 100 at 10 a second
    assert_int_equal(charges(f), 100);
    for (size_t i = 10; i < f->provider.call_count; i++) {
        assert_true(f->provider.calls[i].mono_us - f->provider.calls[i - 10].mono_us >= US_PER_S);
    }
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE kind = 'charge'"), 0);
}

static void api_requests_and_a_backlog_alternate(void **state)
{
    struct fixture *f = *state;
    leave_open(f, 60);
    f->provider.otherwise = answer_not_found();
    begin_at(f, 10);
    engine_run_s(f, 1);
    size_t before = f->provider.call_count;
    f->provider.holds = true;
    struct buyer *buyers[10];
    for (size_t i = 0; i < COUNT_OF(buyers); i++) {
        buyers[i] = buy(f);
    }
    engine_run_s(f, 1);
    size_t of_api = 0;
    size_t all = f->provider.call_count - before;
    for (size_t i = before; i < f->provider.call_count; i++) {
        for (size_t b = 0; b < COUNT_OF(buyers); b++) {
            char id[UUID_TEXT_BYTES];
            uuid_format(&buyers[b]->payment.id, id);
            of_api += strstr(f->provider.calls[i].idempotency_key, id) != NULL;
        }
    }
    assert_in_range(all, 8, 11);
    assert_in_range(of_api, all / 2 - 1, all / 2 + 1);
    f->provider.holds = false;
}

static void a_flood_of_one_merchant_delays_no_other(void **state)
{
    struct fixture *f = *state;
    f->provider.otherwise = answer_not_found();
    leave_open(f, 100);
    struct buyer *stranger = stranger_new(f);
    begin_at(f, 10);
    assert_int_equal(buyer_prepare(stranger), OK);
    size_t before = f->provider.call_count;
    buyer_go(stranger);
    assert_int_equal(f->provider.call_count, before + 1);
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(stranger->answers, 1);
}

static void floods_of_several_merchants_leave_slots_to_the_next(void **state)
{
    struct fixture *f = *state;
    f->config.operations_max = 40;
    f->provider.holds = true;
    engine_begin(f);
    for (struct buyer *buyer = buyer_new(f); buyer_prepare(buyer) == OK; buyer = buyer_new(f)) {
        buyer_go(buyer);
    }
    assert_int_equal(charges(f), 30);
    for (struct buyer *buyer = stranger_new(f); buyer_prepare(buyer) == OK; buyer = stranger_new(f)) {
        buyer_go(buyer);
    }
    assert_in_range(charges(f), 31, 39);
    assert_true(engine_has_room(f->engine));
}

static void a_backlog_of_one_merchant_leaves_slots_to_another(void **state)
{
    struct fixture *f = *state;
    leave_open(f, 60);
    struct buyer *stranger = stranger_new(f);
    assert_int_equal(buyer_prepare(stranger), OK);
    f->config.operations_max = 40;
    f->provider.holds = true; // calls stay in flight
    begin_at(f, 0);
    engine_run_s(f, 1);
    char id[UUID_TEXT_BYTES];
    uuid_format(&stranger->payment.id, id);
    assert_in_range(charges(f), 2, 19);
    assert_non_null(strstr(f->provider.calls[charges(f) - 1].idempotency_key, id));
}

static void a_request_beyond_the_accounts_share_is_refused_and_not_recorded(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 4);
    f->provider.holds = true;
    for (int i = 0; i < 20; i++) { // five seconds' worth
        buy(f);
    }
    struct buyer *refused = buyer_new(f);
    assert_int_equal(buyer_prepare(refused), ERR_OVERLOADED);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments"), 20);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE kind = 'charge'"), 20);
    assert_int_equal(stats_of(f).refused_total, 1);
    struct buyer *stranger = stranger_new(f);
    assert_int_equal(buyer_prepare(stranger), OK);
    engine_run_s(f, 6);
    assert_int_equal(charges(f), 20);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(buyer_prepare(buyer_new(f)), OK);
    f->provider.holds = false;
}

// The further pages of a list go first, and this list takes longer than the other operation's lease.
static void a_call_that_waits_too_long_is_requeued_as_untried(void **state)
{
    struct fixture *f = *state;
    leave_open(f, 1);
    fake_loop_run_for(&f->loop, US_PER_S);
    leave_open(f, 1);
    f->provider.otherwise = answer_list(NULL, 0, "next");
    run_sql(f, "UPDATE operations SET next_attempt_us = 1, look_up = 1 WHERE subject_id ="
               " (SELECT min(subject_id) FROM operations)");
    run_sql(f, "UPDATE operations SET next_attempt_us = 2, attempts = 0, unresolved = 0 WHERE subject_id ="
               " (SELECT max(subject_id) FROM operations)");
    begin_at(f, 1);
    engine_run_s(f, 300);
    assert_int_equal(charges(f), 0);
    assert_int_equal(sql_number(f, "SELECT attempts + unresolved FROM operations"
                                   " WHERE kind = 'charge' AND look_up = 0"),
                     1);
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_in_range(stats.requeued_total, 20, 30); // it, and a fetch of events
}

// --- too many requests

static void only_the_account_that_gets_a_429_pauses(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 100);
    struct provider_answer limited = answer_limited();
    limited.retry_after_us = 3 * US_PER_S;
    fake_provider_will(&f->provider, limited);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    struct buyer *buyer = buy(f);
    assert_int_equal(buyer_prepare(buyer_new(f)), ERR_OVERLOADED);
    struct buyer *stranger = stranger_new(f);
    assert_int_equal(buyer_prepare(stranger), OK);
    engine_run_s(f, 2);
    assert_int_equal(f->provider.call_count, 1);
    engine_run_s(f, 2);
    assert_string_equal(answered_status(buyer), "completed");
    assert_int_equal(stats_of(f).limited_total, 1);
    assert_int_equal(buyer_prepare(buyer_new(f)), OK);
}

static void calls_that_waited_when_their_account_paused_are_requeued_as_untried(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 2);
    f->provider.holds = true;
    buy(f);
    struct buyer *waits[4];
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        waits[i] = buy(f);
    }
    struct provider_answer limited = answer_limited();
    limited.retry_after_us = 4 * US_PER_S;
    fake_provider_answer(&f->provider, limited);
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(charges(f), 1);
    assert_int_equal(stats_of(f).queued, 0);
    assert_int_equal(
        sql_number(
            f, "SELECT count(*) FROM operations WHERE kind = 'charge' AND attempts = 0 AND unresolved = 0"),
        4);
    f->provider.holds = false;
    f->provider.otherwise = answer_no_auth(); // at a first attempt, so it was not done
    engine_run_s(f, 12);
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        assert_string_equal(answered_status(waits[i]), "failed");
    }
}

// --- the end

static void a_hurried_drain_leaves_queued_calls_to_the_next_start(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 1);
    f->provider.otherwise = answer_not_found();
    for (int i = 0; i < 4; i++) {
        buy(f);
    }
    (void)engine_drain(f->engine, true);
    fake_loop_run_tasks(&f->loop);
    assert_true(engine_drain(f->engine, true));
    assert_true(
        sql_number(
            f, "SELECT count(*) FROM operations WHERE kind = 'charge' AND attempts = 0 AND unresolved = 0") >=
        2);
}

static void a_hurried_drain_does_not_wait_for_a_queued_probe(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 1);
    f->provider.otherwise = answer_unreachable();
    while (!stats_of(f).circuit_open) {
        buy(f);
        engine_run_s(f, 3);
    }
    engine_run_s(f, 6);
    size_t before = f->provider.call_count;
    while (f->provider.call_count == before) {
        fake_loop_run_for(&f->loop, US_PER_S / 10);
    }
    struct buyer *probe = buyer_new(f); // a moment after recovery's, at one a second
    assert_int_equal(buyer_prepare(probe), OK);
    buyer_go(probe);
    assert_int_equal(stats_of(f).queued, 1);
    (void)engine_drain(f->engine, true);
    fake_loop_run_tasks(&f->loop);
    assert_true(engine_drain(f->engine, true));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE attempts = 0 AND unresolved = 0"),
                     1);
}

static void a_hurried_drain_does_not_wait_for_further_pages_of_a_list(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 1);
    buy(f);
    f->provider.otherwise = answer_list(NULL, 0, "next");
    run_sql(f, "UPDATE operations SET look_up = 1");
    engine_run_s(f, 10);
    assert_true(fake_provider_count(&f->provider, PROVIDER_LIST) > 2);
    assert_int_equal(stats_of(f).queued, 1);
    (void)engine_drain(f->engine, true);
    fake_loop_run_tasks(&f->loop);
    assert_true(engine_drain(f->engine, true));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE attempts = 2 AND unresolved = 1"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_backlog_is_called_at_the_accounts_pace),
        TEST(api_requests_and_a_backlog_alternate),
        TEST(a_flood_of_one_merchant_delays_no_other),
        TEST(floods_of_several_merchants_leave_slots_to_the_next),
        TEST(a_backlog_of_one_merchant_leaves_slots_to_another),
        TEST(a_request_beyond_the_accounts_share_is_refused_and_not_recorded),
        TEST(a_call_that_waits_too_long_is_requeued_as_untried),
        TEST(only_the_account_that_gets_a_429_pauses),
        TEST(calls_that_waited_when_their_account_paused_are_requeued_as_untried),
        TEST(a_hurried_drain_leaves_queued_calls_to_the_next_start),
        TEST(a_hurried_drain_does_not_wait_for_a_queued_probe),
        TEST(a_hurried_drain_does_not_wait_for_further_pages_of_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
