// The engine around the operations: outcomes that the database refuses, buyers whose patience ends, a drain,
// leases.
#include "engine_fixture.h"

#include "base/log.h"
#include "op/engine/engine_private.h"
#include "op/state/reply.h"

#define REFUSE "CREATE TRIGGER refuse BEFORE UPDATE ON payments BEGIN SELECT RAISE(ABORT, 'no'); END"
#define ALLOW "DROP TRIGGER refuse"

static int64_t in_flight(const struct fixture *f)
{
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    return stats.in_flight;
}

// --- the database refuses

static void an_outcome_that_the_database_refuses_is_recorded_later_and_not_asked_for_again(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    run_sql(f, REFUSE);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    struct buyer *buyer = buy(f);
    engine_run_s(f, 5);
    assert_int_equal(buyer->answers, 0);
    assert_int_equal(in_flight(f), 1);
    assert_int_equal(f->told, 0);
    run_sql(f, ALLOW);
    engine_run_s(f, 2);
    assert_int_equal(f->provider.call_count, 1);
    assert_string_equal(answered_status(buyer), "completed");
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.completed");
    assert_int_equal(in_flight(f), 0);
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_in_range(stats.settle_retries_total, 4, 7);
}

static void many_refused_outcomes_are_all_recorded(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    run_sql(f, REFUSE);
    for (int i = 0; i < 20; i++) {
        struct provider_answer answer = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
        answer.payment.id = arena_printf(&f->arena, "pi_%d", i);
        fake_provider_will(&f->provider, answer);
        buy(f);
    }
    engine_run_s(f, 3);
    run_sql(f, ALLOW);
    engine_run_s(f, 2);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments WHERE status = 'completed'"), 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(f->buyers[i]->answers, 1);
    }
}

// Not for want of a database: another row has what this one needs.
static void begin_one_that_cannot_be_recorded(struct fixture *f)
{
    engine_begin(f);
    run_sql(f, "CREATE UNIQUE INDEX refuse ON payments(status) WHERE status = 'completed'");
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    buy(f);
    f->provider.otherwise.payment.id = "pi_2";
    buy(f);
}

static void an_outcome_that_cannot_be_recorded_is_let_go_and_asked_for_at_growing_distances(void **state)
{
    struct fixture *f = *state;
    struct engine_stats stats;
    begin_one_that_cannot_be_recorded(f);
    engine_run_s(f, 4);
    assert_int_equal(in_flight(f), 0);
    engine_stats(f->engine, &stats);
    assert_int_equal(stats.settle_abandoned_total, 1);
    const struct uuid *id = &f->buyers[1]->payment.id;
    assert_string_equal(history_of(f, id),
                        "created pending api, an outcome could not be recorded pending api");
    assert_string_equal(open_operations(f, id), "charge");
    engine_run_s(f, 3 * 24 * 3600);
    assert_in_range(f->provider.call_count, 10, 60);
    run_sql(f, "DROP INDEX refuse");
    engine_run_s(f, 2 * 24 * 3600);
    assert_int_equal(payment_row(f, id).status, PAYMENT_COMPLETED);
    assert_string_equal(open_operations(f, id), "");
}

static void an_outcome_that_cannot_be_recorded_does_not_hold_up_a_stop(void **state)
{
    struct fixture *f = *state;
    begin_one_that_cannot_be_recorded(f);
    assert_int_equal(in_flight(f), 1);
    (void)engine_drain(f->engine, false);
    engine_run_s(f, 0);
    (void)engine_drain(f->engine, false);
    engine_run_s(f, 0);
    assert_true(engine_drain(f->engine, false));
    assert_string_equal(open_operations(f, &f->buyers[1]->payment.id), "charge");
}

static void an_outcome_that_a_crash_loses_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    run_sql(f, REFUSE);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    struct buyer *buyer = buy(f);
    engine_crash(f);
    run_sql(f, ALLOW);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_int_equal(f->provider.call_count, 2);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void a_sweep_that_the_database_refuses_comes_again(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_unknown());
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    struct buyer *buyer = buy(f);
    run_sql(f, "CREATE TRIGGER refuse BEFORE UPDATE ON operations BEGIN SELECT RAISE(ABORT, 'no'); END");
    engine_run_s(f, 5);
    assert_int_equal(f->provider.call_count, 1);
    run_sql(f, ALLOW);
    engine_run_s(f, 6);
    assert_string_equal(answered_status(buyer), "completed");
}

// A settle that runs again must not take its own first run for somebody else's hurry.
static void a_settle_that_runs_again_keeps_its_distance(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_unknown());
    f->provider.otherwise = answer_no_auth();
    buy(f);
    run_sql(f, "CREATE TRIGGER refuse BEFORE UPDATE OF unresolved ON operations WHEN NEW.attempts = 2"
               " AND NEW.next_attempt_us <> OLD.next_attempt_us BEGIN SELECT RAISE(ABORT, 'no'); END");
    engine_run_s(f, 5);
    assert_int_equal(f->provider.call_count, 2);
    run_sql(f, ALLOW);
    engine_run_s(f, 9);
    assert_int_equal(f->provider.call_count, 2);
    engine_run_s(f, 400);
    assert_true(f->provider.call_count > 2);
}

// What is said of an outcome in the log must not be of the run of the settle that was undone.
static void an_outcome_that_was_closed_meanwhile_is_let_go(void **state)
{
    struct fixture *f = *state;
    log_set_level(LOG_WARN);
    struct provider_answer other_amount = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    other_amount.payment.amount_provider_minor = 4999;
    fake_provider_will(&f->provider, other_amount);
    run_sql(f, "CREATE TRIGGER refuse BEFORE UPDATE ON operations BEGIN SELECT RAISE(ABORT, 'no'); END");
    struct buyer *buyer = buy(f);
    run_sql(f, ALLOW);
    run_sql(f, "DELETE FROM operations");
    engine_run_s(f, 2);
    assert_int_equal(in_flight(f), 0);
    assert_int_equal(buyer->answers, 0);
}

// --- patience

static void a_buyer_whose_patience_ends_gets_the_pending_payment_and_the_charge_goes_on(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_run_s(f, 29);
    assert_int_equal(buyer->answers, 0);
    engine_run_s(f, 2);
    assert_int_equal(buyer->status, 201);
    assert_string_equal(answered_status(buyer), "pending");
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(buyer->answers, 1);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.completed");
}

// A repeat is answered with the very bytes, whatever became of the payment since.
static void what_the_impatient_buyer_got_stays_the_stored_answer(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_run_s(f, 31);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    struct op_answer answer = {0};
    transaction_begin(f);
    assert_int_equal(
        reply_stored(&(struct tx){.db = f->db}, &f->keyring, &buyer->payment.id, &f->arena, &answer, &f->err),
        OK);
    transaction_end(f);
    assert_string_equal(answer.body, buyer->body);
}

// Somebody else was answered first, while the buyer had patience still: he gets the same, and gets it as soon
// as the outcome is known.
static void a_buyer_who_waits_behind_a_stored_answer_is_not_kept_waiting(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    struct payment payment = payment_row(f, &buyer->payment.id);
    struct tx tx = {.db = f->db, .keyring = &f->keyring, .arena = &f->arena, .now_us = START_US};
    struct op_answer stored = {0};
    transaction_begin(f);
    assert_int_equal(reply_keep_payment(&tx, &payment, &stored, &f->err), OK);
    transaction_end(f);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(buyer->answers, 1);
    assert_string_equal(buyer->body, stored.body);
}

static void a_buyer_whose_patience_ends_as_the_outcome_is_recorded_gets_the_outcome(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    fake_provider_answer(
        &f->provider,
        answer_payment(PROVIDER_PAYMENT_SUCCEEDED)); // settled; the loop does not know it yet
    f->loop.mono_us += 31 * US_PER_S;
    op_patience_over(&f->engine->patience_timer);
    fake_loop_run_tasks(&f->loop);
    assert_int_equal(buyer->answers, 1);
    assert_string_equal(answered_status(buyer), "completed");
}

static void each_buyers_patience_is_its_own(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *first = buy(f);
    engine_run_s(f, 10);
    struct buyer *second = buy(f);
    engine_run_s(f, 21);
    assert_int_equal(first->answers, 1);
    assert_int_equal(second->answers, 0);
    engine_run_s(f, 10);
    assert_int_equal(second->answers, 1);
}

static void an_answer_that_cannot_be_stored_is_an_error_to_its_buyer(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    run_sql(f, "CREATE TRIGGER refuse BEFORE INSERT ON replies BEGIN SELECT RAISE(ABORT, 'no'); END");
    engine_run_s(f, 31);
    assert_int_equal(buyer->answers, 1);
    assert_int_equal(buyer->rc, ERR_STORE);
    assert_null(buyer->body);
}

// --- drain

static void a_drain_waits_for_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    assert_false(engine_drain(f->engine, false));
    assert_false(engine_ready(f->engine));
    assert_false(engine_has_room(f->engine));
    assert_int_equal(buyer->answers, 0);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    assert_true(engine_drain(f->engine, false));
    assert_string_equal(answered_status(buyer), "completed");
}

static void a_drain_gives_those_who_wait_their_pending_answer(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy(f); // of unknown outcome: nothing is under way until the next attempt
    assert_int_equal(buyer->answers, 0);
    assert_false(engine_drain(f->engine, false));
    fake_loop_run_tasks(&f->loop);
    assert_true(engine_drain(f->engine, false));
    assert_int_equal(buyer->status, 201);
    assert_string_equal(answered_status(buyer), "pending");
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
}

static void a_drain_in_a_hurry_gives_the_pending_answer_at_once(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    assert_false(engine_drain(f->engine, true));
    fake_loop_run_tasks(&f->loop);
    assert_string_equal(answered_status(buyer), "pending");
    assert_false(engine_drain(f->engine, true)); // the attempt is under way still
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    assert_true(engine_drain(f->engine, true));
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void a_drained_engine_begins_nothing(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    buy(f);
    (void)engine_drain(f->engine, false);
    fake_loop_run_tasks(&f->loop);
    engine_run_s(f, 120);
    assert_true(engine_drain(f->engine, false));
    assert_int_equal(f->provider.call_count, 1);
}

static void what_a_drain_left_open_goes_on_after_the_next_start(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy(f);
    (void)engine_drain(f->engine, false);
    engine_crash(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void an_outcome_that_the_database_refuses_holds_the_drain_up(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    run_sql(f, REFUSE);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    struct buyer *buyer = buy(f);
    engine_run_s(f, 3);
    assert_false(engine_drain(f->engine, false));
    run_sql(f, ALLOW);
    engine_run_s(f, 2);
    assert_true(engine_drain(f->engine, false));
    assert_string_equal(answered_status(buyer), "completed");
}

// --- leases

static void an_attempt_that_outlives_its_lease_is_not_made_twice(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_run_s(f, 300);
    assert_int_equal(f->provider.call_count, 1);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.completed");
    assert_string_equal(history_of(f, &buyer->payment.id), "created pending api, completed completed api");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
    assert_int_equal(in_flight(f), 0);
}

static void an_unknown_outcome_behind_an_outlived_lease_is_asked_again_at_once(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_run_s(f, 140);
    f->provider.holds = false;
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    fake_provider_answer(&f->provider, answer_unknown());
    engine_run_s(f, 1);
    assert_int_equal(f->provider.call_count, 2);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

// --- sweeps

// A process that has room for so many finds a hundred open ones; what it calls stays under way.
static void begin_with_backlog(struct fixture *f, int64_t operations_max)
{
    f->config.operations_max = 200;
    f->provider.holds = true;
    for (int i = 0; i < 100; i++) {
        struct buyer *buyer = buyer_new(f);
        assert_int_equal(buyer_prepare(buyer), OK);
    }
    engine_crash(f);
    f->config.operations_max = operations_max;
    engine_begin(f);
}

static void answer_backlog(struct fixture *f)
{
    f->provider.holds = false;
    f->provider.otherwise = answer_not_found();
    while (!list_empty(&f->provider.held)) {
        fake_provider_answer(&f->provider, answer_not_found());
    }
}

static void a_backlog_larger_than_a_claim_is_worked_off_within_its_merchants_share(void **state)
{
    struct fixture *f = *state;
    begin_with_backlog(f, 200);
    assert_int_equal(f->provider.call_count, 75); // three quarters of half of all
    answer_backlog(f);
    engine_run_s(f, 2);
    assert_int_equal(f->provider.call_count, 100);
}

static void a_backlog_larger_than_its_room_is_worked_off_as_it_gets_free(void **state)
{
    struct fixture *f = *state;
    begin_with_backlog(f, 6);
    assert_int_equal(f->provider.call_count, 3); // half of all
    answer_backlog(f);
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(f->provider.call_count, 100);
}

static void little_is_done_while_there_is_nothing_to_do(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    int64_t fired = f->loop.timers_fired;
    engine_run_s(f, 600);
    assert_in_range(f->loop.timers_fired - fired, 200, 260); // a sweep and the chores, each once an interval
}

static void a_store_that_cannot_be_written_makes_the_engine_unready_until_it_can(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    engine_run_s(f, 10);
    assert_true(engine_ready(f->engine));
    run_sql(f, "CREATE TRIGGER refuse BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'no'); END");
    engine_run_s(f, 70);
    assert_false(engine_ready(f->engine));
    engine_run_s(f, 600);
    assert_false(engine_ready(f->engine));
    run_sql(f, ALLOW);
    engine_run_s(f, 10);
    assert_true(engine_ready(f->engine));
}

static void a_write_that_failed_has_the_store_tried_soon(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    engine_run_s(f, 10);
    run_sql(f, "CREATE TRIGGER refuse BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'no'); END");
    engine_write_failed(f->engine);
    assert_true(engine_ready(f->engine));
    engine_run_s(f, 10);
    assert_false(engine_ready(f->engine));
    run_sql(f, ALLOW);
    engine_run_s(f, 10);
    assert_true(engine_ready(f->engine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_outcome_that_the_database_refuses_is_recorded_later_and_not_asked_for_again),
        TEST(many_refused_outcomes_are_all_recorded),
        TEST(an_outcome_that_cannot_be_recorded_is_let_go_and_asked_for_at_growing_distances),
        TEST(an_outcome_that_cannot_be_recorded_does_not_hold_up_a_stop),
        TEST(an_outcome_that_a_crash_loses_is_asked_for_again),
        TEST(a_sweep_that_the_database_refuses_comes_again),
        TEST(a_settle_that_runs_again_keeps_its_distance),
        TEST(an_outcome_that_was_closed_meanwhile_is_let_go),
        TEST(a_buyer_whose_patience_ends_gets_the_pending_payment_and_the_charge_goes_on),
        TEST(what_the_impatient_buyer_got_stays_the_stored_answer),
        TEST(a_buyer_who_waits_behind_a_stored_answer_is_not_kept_waiting),
        TEST(a_buyer_whose_patience_ends_as_the_outcome_is_recorded_gets_the_outcome),
        TEST(each_buyers_patience_is_its_own),
        TEST(an_answer_that_cannot_be_stored_is_an_error_to_its_buyer),
        TEST(a_drain_waits_for_what_is_under_way),
        TEST(a_drain_gives_those_who_wait_their_pending_answer),
        TEST(a_drain_in_a_hurry_gives_the_pending_answer_at_once),
        TEST(a_drained_engine_begins_nothing),
        TEST(what_a_drain_left_open_goes_on_after_the_next_start),
        TEST(an_outcome_that_the_database_refuses_holds_the_drain_up),
        TEST(an_attempt_that_outlives_its_lease_is_not_made_twice),
        TEST(an_unknown_outcome_behind_an_outlived_lease_is_asked_again_at_once),
        TEST(a_backlog_larger_than_a_claim_is_worked_off_within_its_merchants_share),
        TEST(a_backlog_larger_than_its_room_is_worked_off_as_it_gets_free),
        TEST(little_is_done_while_there_is_nothing_to_do),
        TEST(a_store_that_cannot_be_written_makes_the_engine_unready_until_it_can),
        TEST(a_write_that_failed_has_the_store_tried_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
