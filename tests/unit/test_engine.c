// The engine around the operations: buyers whose patience ends, a drain, leases, sweeps.
#include "engine_fixture.h"

#include "op/engine/engine_private.h"
#include "op/state/reply.h"

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

// A repeat gets the same bytes, whatever happened to the payment since.
static void the_answer_of_the_impatient_buyer_stays_the_stored_one(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_run_s(f, 31);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    struct op_answer answer = {0};
    assert_int_equal(stored_answer(f, &buyer->payment.id, &answer), OK);
    assert_string_equal(answer.body, buyer->body);
}

// Somebody else was answered first, while the buyer had patience still: he gets the same, and gets it as soon
// as the outcome is known.
static void a_buyer_whose_answer_is_already_stored_gets_it_at_once(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    struct payment payment = payment_row(f, &buyer->payment.id);
    struct tx tx = tx_for(f, "api", NULL);
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
    run_sql(f, "CREATE TRIGGER refuse BEFORE INSERT ON replies FOR EACH ROW " REFUSES);
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

static void an_urgent_drain_gives_the_pending_answer_at_once(void **state)
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

static void an_operation_that_a_drain_left_open_goes_on_after_the_next_start(void **state)
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

static void an_unknown_outcome_after_an_expired_lease_is_asked_for_again_at_once(void **state)
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

// A process with this limit finds a hundred open operations; its calls stay under way.
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
    // A sweep, the janitor and the retention, each once an interval.
    assert_in_range(f->loop.timers_fired - fired, 300, 390);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_buyer_whose_patience_ends_gets_the_pending_payment_and_the_charge_goes_on),
        TEST(the_answer_of_the_impatient_buyer_stays_the_stored_one),
        TEST(a_buyer_whose_answer_is_already_stored_gets_it_at_once),
        TEST(a_buyer_whose_patience_ends_as_the_outcome_is_recorded_gets_the_outcome),
        TEST(each_buyers_patience_is_its_own),
        TEST(an_answer_that_cannot_be_stored_is_an_error_to_its_buyer),
        TEST(a_drain_waits_for_what_is_under_way),
        TEST(a_drain_gives_those_who_wait_their_pending_answer),
        TEST(an_urgent_drain_gives_the_pending_answer_at_once),
        TEST(a_drained_engine_begins_nothing),
        TEST(an_operation_that_a_drain_left_open_goes_on_after_the_next_start),
        TEST(an_attempt_that_outlives_its_lease_is_not_made_twice),
        TEST(an_unknown_outcome_after_an_expired_lease_is_asked_for_again_at_once),
        TEST(a_backlog_larger_than_a_claim_is_worked_off_within_its_merchants_share),
        TEST(a_backlog_larger_than_its_room_is_worked_off_as_it_gets_free),
        TEST(little_is_done_while_there_is_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
