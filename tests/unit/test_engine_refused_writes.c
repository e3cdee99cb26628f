// A database that refuses what the engine writes: outcomes are recorded later or asked for again, and the
// engine is not ready until it can write.
#include "engine_fixture.h"

#include "base/log.h"

#define REFUSE "CREATE TRIGGER refuse BEFORE UPDATE ON payments FOR EACH ROW " REFUSES
#define ALLOW(table) "DROP TRIGGER refuse /*ON " table "*/"

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
    assert_int_equal(f->events_written, 0);
    run_sql(f, ALLOW("payments"));
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
    run_sql(f, ALLOW("payments"));
    engine_run_s(f, 2);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments WHERE status = 'completed'"), 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(f->buyers[i]->answers, 1);
    }
}

// The database works, but another row has the value that this one needs.
static void begin_one_that_cannot_be_recorded(struct fixture *f)
{
    engine_begin(f);
    run_sql(f, "CREATE UNIQUE INDEX refuse ON payments(status) WHERE status = 'completed'");
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    buy(f);
    f->provider.otherwise.payment.id = "pi_2";
    buy(f);
}

static void an_outcome_that_cannot_be_recorded_is_abandoned_and_asked_for_at_growing_intervals(void **state)
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

static void an_outcome_that_cannot_be_recorded_does_not_delay_a_stop(void **state)
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
    run_sql(f, ALLOW("payments"));
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
    run_sql(f, "CREATE TRIGGER refuse BEFORE UPDATE ON operations FOR EACH ROW " REFUSES);
    engine_run_s(f, 5);
    assert_int_equal(f->provider.call_count, 1);
    run_sql(f, ALLOW("operations"));
    engine_run_s(f, 6);
    assert_string_equal(answered_status(buyer), "completed");
}

// A settle that runs again must not mistake its own first run for another change of its time.
static void a_settle_that_runs_again_keeps_its_interval(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_unknown());
    f->provider.otherwise = answer_no_auth();
    buy(f);
    run_sql(f, "CREATE TRIGGER refuse BEFORE UPDATE OF unresolved ON operations FOR EACH ROW"
               " WHEN (NEW.attempts = 2 AND NEW.next_attempt_us <> OLD.next_attempt_us) " REFUSES);
    engine_run_s(f, 5);
    assert_int_equal(f->provider.call_count, 2);
    run_sql(f, ALLOW("operations"));
    engine_run_s(f, 9);
    assert_int_equal(f->provider.call_count, 2);
    engine_run_s(f, 400);
    assert_true(f->provider.call_count > 2);
}

// What is said of an outcome in the log must not be of the run of the settle that was undone.
static void the_outcome_of_an_operation_that_was_closed_meanwhile_is_dropped(void **state)
{
    struct fixture *f = *state;
    log_set_level(LOG_WARN);
    struct provider_answer other_amount = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    other_amount.payment.amount_provider_minor = 4999;
    fake_provider_will(&f->provider, other_amount);
    run_sql(f, "CREATE TRIGGER refuse BEFORE UPDATE ON operations FOR EACH ROW " REFUSES);
    struct buyer *buyer = buy(f);
    run_sql(f, ALLOW("operations"));
    run_sql(f, "DELETE FROM operations");
    engine_run_s(f, 2);
    assert_int_equal(in_flight(f), 0);
    assert_int_equal(buyer->answers, 0);
}

static void an_outcome_that_the_database_refuses_delays_the_drain(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    run_sql(f, REFUSE);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    struct buyer *buyer = buy(f);
    engine_run_s(f, 3);
    assert_false(engine_drain(f->engine, false));
    run_sql(f, ALLOW("payments"));
    engine_run_s(f, 2);
    assert_true(engine_drain(f->engine, false));
    assert_string_equal(answered_status(buyer), "completed");
}

static void a_stop_does_not_wait_for_long_for_a_database_that_refuses(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    run_sql(f, REFUSE);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    struct buyer *buyer = buy(f);
    engine_run_s(f, 2);
    (void)engine_drain(f->engine, false);
    engine_run_s(f, 6);
    (void)engine_drain(f->engine, false); // gives the buyer its pending answer
    engine_run_s(f, 0);
    assert_true(engine_drain(f->engine, false));
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
    run_sql(f, ALLOW("payments"));
    engine_crash(f);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void a_store_that_cannot_be_written_makes_the_engine_unready_until_it_can(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    engine_run_s(f, 10);
    assert_true(engine_ready(f->engine));
    run_sql(f, "CREATE TRIGGER refuse BEFORE INSERT ON meta FOR EACH ROW " REFUSES);
    engine_run_s(f, 70);
    assert_false(engine_ready(f->engine));
    engine_run_s(f, 600);
    assert_false(engine_ready(f->engine));
    run_sql(f, ALLOW("meta"));
    engine_run_s(f, 10);
    assert_true(engine_ready(f->engine));
}

static void after_a_failed_write_the_store_is_tried_soon(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    engine_run_s(f, 10);
    run_sql(f, "CREATE TRIGGER refuse BEFORE INSERT ON meta FOR EACH ROW " REFUSES);
    engine_write_failed(f->engine);
    assert_true(engine_ready(f->engine));
    engine_run_s(f, 10);
    assert_false(engine_ready(f->engine));
    run_sql(f, ALLOW("meta"));
    engine_run_s(f, 10);
    assert_true(engine_ready(f->engine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_outcome_that_the_database_refuses_is_recorded_later_and_not_asked_for_again),
        TEST(many_refused_outcomes_are_all_recorded),
        TEST(an_outcome_that_cannot_be_recorded_is_abandoned_and_asked_for_at_growing_intervals),
        TEST(an_outcome_that_cannot_be_recorded_does_not_delay_a_stop),
        TEST(an_outcome_that_a_crash_loses_is_asked_for_again),
        TEST(a_sweep_that_the_database_refuses_comes_again),
        TEST(a_settle_that_runs_again_keeps_its_interval),
        TEST(the_outcome_of_an_operation_that_was_closed_meanwhile_is_dropped),
        TEST(an_outcome_that_the_database_refuses_delays_the_drain),
        TEST(a_stop_does_not_wait_for_long_for_a_database_that_refuses),
        TEST(a_store_that_cannot_be_written_makes_the_engine_unready_until_it_can),
        TEST(after_a_failed_write_the_store_is_tried_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
