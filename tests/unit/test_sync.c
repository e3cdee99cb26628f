// Unfinished payments that the provider knows: checked until they end, and cancelled there when they failed
// here after an action that somebody may still carry out.
#include "op_setup.h"

static struct buyer *buy_with(struct fixture *f, struct provider_answer answer)
{
    fake_provider_will(&f->provider, answer);
    return buy(f);
}

static size_t calls(const struct fixture *f, enum provider_verb verb)
{
    return fake_provider_count(&f->provider, verb);
}

// --- sync

static void a_payer_who_has_acted_is_noticed_without_any_event(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_with(f, answer_action());
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 9);
    assert_int_equal(f->provider.call_count, 1);
    engine_run_s(f, 3);
    assert_int_equal(f->provider.call_count, 2);
    assert_int_equal(f->provider.calls[1].verb, PROVIDER_RETRIEVE);
    assert_string_equal(f->provider.calls[1].ref, "pi_1");
    assert_string_equal(f->provider.calls[1].secret_key, SECRET_KEY);
    assert_string_equal(history_of(f, &buyer->payment.id),
                        "created pending api, action required pending api, completed completed recovery");
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.completed");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
    assert_string_equal(answered_status(buyer), "pending");
}

static void an_unfinished_payment_is_checked_at_growing_intervals(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_OPEN);
    struct buyer *buyer = buy(f);
    static const struct {
        int64_t until_s;
        size_t calls_min, calls_max;
    } pace[] = {{60, 1, 2}, {600, 3, 3}, {3600, 3, 4}, {24 * 3600, 20, 28}, {5 * 24 * 3600, 23, 33}};
    int64_t passed_s = 0;
    for (size_t i = 0; i < COUNT_OF(pace); i++) {
        engine_run_s(f, pace[i].until_s - passed_s);
        passed_s = pace[i].until_s;
        assert_in_range(calls(f, PROVIDER_RETRIEVE), pace[i].calls_min, pace[i].calls_max);
    }
    assert_string_equal(open_operations(f, &buyer->payment.id), "sync");
    assert_string_equal(history_of(f, &buyer->payment.id), "created pending api, processing pending api");
}

static void a_payment_that_is_found_failed_has_failed(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_with(f, answer_payment(PROVIDER_PAYMENT_OPEN));
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED);
    engine_run_s(f, 12);
    assert_string_equal(history_of(f, &buyer->payment.id),
                        "created pending api, processing pending api, failed failed recovery");
    assert_string_equal(open_operations(f, &buyer->payment.id), ""); // nobody was given anything to act on
}

static void an_authorisation_is_watched_until_it_lapses(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_CAPTURABLE);
    struct buyer *buyer = buy(f);
    engine_run_s(f, 3 * 24 * 3600);
    assert_true(payment_row(f, &buyer->payment.id).capturable);
    assert_string_equal(open_operations(f, &buyer->payment.id), "sync");
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_CANCELED);
    engine_run_s(f, 2 * 24 * 3600);
    struct payment payment = payment_row(f, &buyer->payment.id);
    assert_int_equal(payment.status, PAYMENT_FAILED);
    assert_string_equal(payment.failure.code, "canceled");
    assert_false(payment.capturable);
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.capturable, payment.failed");
}

static void an_answer_that_does_not_help_leaves_a_payment_to_be_checked(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct provider_answer other = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    other.payment.id = "pi_2";
    const struct provider_answer answers[] = {answer_not_found(), answer_no_auth(), other};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct provider_answer begins = answer_payment(PROVIDER_PAYMENT_OPEN);
        begins.payment.id = arena_printf(&f->arena, "pi_of_%zu", i);
        struct buyer *buyer = buy_with(f, begins);
        f->provider.otherwise = answers[i];
        engine_run_s(f, 12);
        assert_int_equal(calls(f, PROVIDER_RETRIEVE), i + 1);
        assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
        assert_string_equal(open_operations(f, &buyer->payment.id), "sync");
        run_sql(f, "DELETE FROM operations");
    }
}

// An interval of an hour must not become two because the provider was unreachable for a minute.
static void a_provider_is_asked_again_as_soon_as_it_is_reachable(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_OPEN);
    struct buyer *buyer = buy(f);
    engine_run_s(f, 5700); // 10 s, 1, 5, 30 minutes and an hour are over at 5770 s at the earliest
    f->provider.otherwise = answer_unknown();
    size_t asked = calls(f, PROVIDER_RETRIEVE);
    engine_run_s(f, 700);
    assert_in_range(calls(f, PROVIDER_RETRIEVE), asked + 5, asked + 400);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 5);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void a_payment_that_an_event_finished_is_not_checked(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_with(f, answer_payment(PROVIDER_PAYMENT_OPEN));
    run_sql(f, "UPDATE payments SET status = 'completed', captured_minor = amount_minor");
    engine_run_s(f, 60);
    assert_int_equal(f->provider.call_count, 1);
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

static void an_unfinished_payment_is_checked_at_once_when_the_service_starts(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_with(f, answer_action());
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_crash(f);
    engine_begin(f);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

// --- cancel

// A payment that failed after an action that its payer may still carry out.
static struct buyer *buy_and_fail_behind_an_action(struct fixture *f)
{
    struct buyer *buyer = buy_with(f, answer_action());
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED)); // what the sync finds
    return buyer;
}

static void an_intent_whose_payment_failed_after_an_action_is_cancelled(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_and_fail_behind_an_action(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_CANCELED);
    engine_run_s(f, 12);
    assert_int_equal(calls(f, PROVIDER_CANCEL), 1);
    const struct fake_call *cancel = &f->provider.calls[2];
    char id[UUID_TEXT_BYTES];
    uuid_format(&buyer->payment.id, id);
    assert_int_equal(cancel->verb, PROVIDER_CANCEL);
    assert_string_equal(cancel->ref, "pi_1");
    assert_string_equal(cancel->idempotency_key, arena_printf(&f->arena, "can_%s", id));
    assert_string_equal(history_of(f, &buyer->payment.id),
                        "created pending api, action required pending api, failed failed recovery, "
                        "canceled at the provider failed recovery");
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.failed");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

static void a_cancel_of_unknown_outcome_is_asked_again_under_its_key(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_and_fail_behind_an_action(f);
    engine_run_s(f, 30);
    assert_true(calls(f, PROVIDER_CANCEL) > 2);
    const struct fake_call *first = &f->provider.calls[2];
    for (size_t i = 3; i < f->provider.call_count; i++) {
        assert_int_equal(f->provider.calls[i].verb, PROVIDER_CANCEL);
        assert_string_equal(f->provider.calls[i].idempotency_key, first->idempotency_key);
    }
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_CANCELED);
    engine_run_s(f, 10);
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

// The payer was quicker: the payment counts.
static void a_cancel_that_came_too_late_completes_the_payment(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_and_fail_behind_an_action(f);
    fake_provider_will(&f->provider, answer_not_found()); // it is in another state
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 15);
    assert_int_equal(calls(f, PROVIDER_CANCEL), 1);
    struct payment payment = payment_row(f, &buyer->payment.id);
    assert_int_equal(payment.status, PAYMENT_COMPLETED);
    assert_null(payment.failure.code);
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.failed, payment.completed");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

static void a_cancel_that_is_no_longer_needed_is_not_sent(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_with(f, answer_action());
    transaction_begin(f);
    struct tx tx = tx_for(f, "event", NULL);
    struct payment payment = payment_row(f, &buyer->payment.id);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED).payment;
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    transaction_end(f);
    assert_string_equal(open_operations(f, &buyer->payment.id), "cancel, sync");
    engine_run_s(f, 60);
    assert_int_equal(f->provider.call_count, 1);
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

static void a_cancel_goes_on_after_a_crash(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_and_fail_behind_an_action(f);
    engine_run_s(f, 12);
    assert_string_equal(open_operations(f, &buyer->payment.id), "cancel");
    engine_crash(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_CANCELED);
    engine_begin(f);
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

// Sent twice it does no harm; read instead, it would be taken for refused.
static void a_cancel_whose_key_was_revoked_is_sent_again_with_the_next_one(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct prepared cancel = prepare(f, prepare_cancel_of_authorised);
    fake_provider_will(&f->provider, answer_unknown());
    prepared_go(&cancel);
    put_credentials(f, 2, "sk_test_second");
    fake_provider_will(&f->provider, answer_no_auth());
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_CAPTURABLE)); // both are of one account
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_CANCELED);
    engine_run_s(f, 10);
    const struct fake_call *last = &f->provider.calls[f->provider.call_count - 1];
    assert_int_equal(last->verb, PROVIDER_CANCEL);
    assert_string_equal(last->secret_key, "sk_test_second");
    assert_int_equal(payment_row(f, &PAYMENT_ID).status, PAYMENT_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_payer_who_has_acted_is_noticed_without_any_event),
        TEST(an_unfinished_payment_is_checked_at_growing_intervals),
        TEST(a_payment_that_is_found_failed_has_failed),
        TEST(an_authorisation_is_watched_until_it_lapses),
        TEST(an_answer_that_does_not_help_leaves_a_payment_to_be_checked),
        TEST(a_provider_is_asked_again_as_soon_as_it_is_reachable),
        TEST(a_payment_that_an_event_finished_is_not_checked),
        TEST(an_unfinished_payment_is_checked_at_once_when_the_service_starts),
        TEST(an_intent_whose_payment_failed_after_an_action_is_cancelled),
        TEST(a_cancel_of_unknown_outcome_is_asked_again_under_its_key),
        TEST(a_cancel_that_came_too_late_completes_the_payment),
        TEST(a_cancel_that_is_no_longer_needed_is_not_sent),
        TEST(a_cancel_goes_on_after_a_crash),
        TEST(a_cancel_whose_key_was_revoked_is_sent_again_with_the_next_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
