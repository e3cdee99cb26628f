// Who may call the provider, and when: an account's pace, callers beside recovery, others' places, too many
// requests, and the end. On a virtual clock, through the engine.
#include "limiter_fixture.h"

// --- pace

static void a_backlog_is_worked_off_at_the_accounts_pace(void **state)
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

static void a_caller_does_not_wait_behind_a_backlog_nor_the_backlog_behind_callers(void **state)
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
    size_t of_callers = 0;
    size_t all = f->provider.call_count - before;
    for (size_t i = before; i < f->provider.call_count; i++) {
        for (size_t b = 0; b < COUNT_OF(buyers); b++) {
            char id[UUID_TEXT_BYTES];
            uuid_format(&buyers[b]->payment.id, id);
            of_callers += strstr(f->provider.calls[i].idempotency_key, id) != NULL;
        }
    }
    assert_in_range(all, 8, 11);
    assert_in_range(of_callers, all / 2 - 1, all / 2 + 1);
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

static void floods_of_several_merchants_leave_places_to_the_next(void **state)
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

static void a_backlog_of_one_merchant_leaves_places_to_anothers(void **state)
{
    struct fixture *f = *state;
    leave_open(f, 60);
    struct buyer *stranger = stranger_new(f);
    assert_int_equal(buyer_prepare(stranger), OK);
    f->config.operations_max = 40;
    f->provider.holds = true; // what is called stays under way
    begin_at(f, 0);
    engine_run_s(f, 1);
    char id[UUID_TEXT_BYTES];
    uuid_format(&stranger->payment.id, id);
    assert_in_range(charges(f), 2, 19);
    assert_non_null(strstr(f->provider.calls[charges(f) - 1].idempotency_key, id));
}

static void who_comes_when_the_share_is_used_up_is_refused_and_nothing_is_recorded(void **state)
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

// The rest of a list goes first, and this one takes longer than the other's lease.
static void what_waits_longer_than_its_lease_is_as_untried_as_before(void **state)
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
    assert_in_range(stats.requeued_total, 20, 30); // it, and a look for events
}

// --- too many requests

static void an_account_that_is_told_to_slow_down_pauses_and_no_other_does(void **state)
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

static void what_waited_as_its_account_was_told_to_slow_down_is_sent_later_as_if_for_the_first_time(
    void **state)
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
    f->provider.otherwise = answer_no_auth(); // of a first attempt: definitely not done
    engine_run_s(f, 12);
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        assert_string_equal(answered_status(waits[i]), "failed");
    }
}

// --- the end

static void a_drain_in_a_hurry_leaves_what_waits_to_the_next_start(void **state)
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

static void a_drain_in_a_hurry_does_not_wait_for_a_probes_turn(void **state)
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
    struct buyer *probe = buyer_new(f); // a moment behind recovery's, at one a second
    assert_int_equal(buyer_prepare(probe), OK);
    buyer_go(probe);
    assert_int_equal(stats_of(f).queued, 1);
    (void)engine_drain(f->engine, true);
    fake_loop_run_tasks(&f->loop);
    assert_true(engine_drain(f->engine, true));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE attempts = 0 AND unresolved = 0"),
                     1);
}

static void a_drain_in_a_hurry_does_not_wait_for_the_rest_of_a_list(void **state)
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
        TEST(a_backlog_is_worked_off_at_the_accounts_pace),
        TEST(a_caller_does_not_wait_behind_a_backlog_nor_the_backlog_behind_callers),
        TEST(a_flood_of_one_merchant_delays_no_other),
        TEST(floods_of_several_merchants_leave_places_to_the_next),
        TEST(a_backlog_of_one_merchant_leaves_places_to_anothers),
        TEST(who_comes_when_the_share_is_used_up_is_refused_and_nothing_is_recorded),
        TEST(what_waits_longer_than_its_lease_is_as_untried_as_before),
        TEST(an_account_that_is_told_to_slow_down_pauses_and_no_other_does),
        TEST(what_waited_as_its_account_was_told_to_slow_down_is_sent_later_as_if_for_the_first_time),
        TEST(a_drain_in_a_hurry_leaves_what_waits_to_the_next_start),
        TEST(a_drain_in_a_hurry_does_not_wait_for_a_probes_turn),
        TEST(a_drain_in_a_hurry_does_not_wait_for_the_rest_of_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
