// Failed payments that are reopened for their payer: every outcome of the confirmation, lost answers, and
// events in between.
#include "op_setup.h"

#include "base/text.h"
#include "op/kinds/kinds.h"
#include "op/state/payment_change.h"

#define REQUESTED "authentication requested failed api"
#define WINDOW_S 600

// One who asks for it, as the API does.
struct asker {
    struct op_waiter waiter;
    int answers;
    enum errc rc;
    int status;
    char *body;
};

static void answered(struct op_waiter *waiter, const struct op_answer *answer)
{
    struct asker *asker = CONTAINER_OF(waiter, struct asker, waiter);
    asker->answers++;
    asker->rc = answer->refusal.code;
    asker->status = answer->status;
    free(asker->body);
    asker->body = answer->body != NULL ? strdup(answer->body) : NULL;
}

static struct asker the_asker;

// Begins it, and runs until time would have to pass.
static struct asker *ask(struct fixture *f)
{
    free(the_asker.body);
    the_asker = (struct asker){.waiter = {.answered = answered}};
    struct prepared prepared = prepare(f, prepare_authenticate);
    op_wait(f->engine, &the_asker.waiter, &op_authenticate, &PAYMENT_ID);
    prepared_go(&prepared);
    return &the_asker;
}

static struct asker *ask_with(struct fixture *f, struct provider_answer answer)
{
    engine_begin(f);
    fake_provider_will(&f->provider, answer);
    return ask(f);
}

static size_t calls(const struct fixture *f, enum provider_verb verb)
{
    return fake_provider_count(&f->provider, verb);
}

static struct payment row(struct fixture *f)
{
    return payment_row(f, &PAYMENT_ID);
}

static void check(struct fixture *f, enum payment_status status, const char *history, const char *events,
                  const char *open)
{
    assert_int_equal(row(f).status, status);
    assert_string_equal(history_of(f, &PAYMENT_ID), history);
    assert_string_equal(events_of(f, &PAYMENT_ID), events);
    assert_string_equal(open_operations(f, &PAYMENT_ID), open);
}

static struct provider_answer still_needs_its_payer(void)
{
    struct provider_answer answer = answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED);
    answer.payment.failure = (struct failure){"authentication_required", "authentication_required", "No."};
    return answer;
}

// --- what the provider answers

static void a_payer_who_has_to_authenticate_makes_the_payment_pending_again(void **state)
{
    struct fixture *f = *state;
    struct asker *asker = ask_with(f, answer_action());
    check(f, PAYMENT_PENDING, REQUESTED ", reopened pending api, action required pending api", "", "sync");
    const struct fake_call *call = &f->provider.calls[0];
    assert_int_equal(call->verb, PROVIDER_CONFIRM);
    assert_string_equal(call->ref, "pi_1");
    assert_string_equal(call->body, "payment_method=pm_1&return_url=https%3A%2F%2Fshop.example%2Freturn"
                                    "&setup_future_usage=off_session");
    assert_int_equal(row(f).next_action, NEXT_ACTION_REDIRECT);
    assert_true(row(f).action_given);
    assert_null(row(f).failure.code);
    assert_int_equal(asker->status, 200);
    assert_non_null(strstr(asker->body, "https://hooks.example/3ds"));
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 60); // without any event
    check(f, PAYMENT_COMPLETED,
          REQUESTED ", reopened pending api, action required pending api, completed completed recovery",
          "payment.completed", "");
}

static void a_payer_who_need_not_authenticate_completes_the_payment(void **state)
{
    struct fixture *f = *state;
    struct asker *asker = ask_with(f, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    check(f, PAYMENT_COMPLETED, REQUESTED ", completed completed api", "payment.completed", "");
    assert_int_equal(asker->status, 200);
}

static void a_payment_with_manual_capture_is_authorised(void **state)
{
    struct fixture *f = *state;
    ask_with(f, answer_payment(PROVIDER_PAYMENT_CAPTURABLE));
    check(f, PAYMENT_PENDING, REQUESTED ", reopened pending api, capturable pending api",
          "payment.capturable", "sync");
    assert_true(row(f).capturable);
}

static void an_authentication_that_takes_long_is_pending(void **state)
{
    struct fixture *f = *state;
    ask_with(f, answer_payment(PROVIDER_PAYMENT_PROCESSING));
    check(f, PAYMENT_PENDING, REQUESTED ", reopened pending api", "", "sync");
}

static void a_decline_leaves_it_failed_for_the_new_reason(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, answer_declined());
    struct asker *asker =
        ask_with(f, answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED)); // as it is read after that
    check(f, PAYMENT_FAILED, REQUESTED ", authentication refused failed api", "", "");
    assert_string_equal(row(f).failure.code, "card_declined");
    assert_int_equal(asker->rc, ERR_PROVIDER_REJECTED);
}

static void a_refusal_that_is_no_decline_leaves_the_reason_as_it_was(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, answer_not_found());
    struct asker *asker = ask_with(f, still_needs_its_payer());
    check(f, PAYMENT_FAILED, REQUESTED ", authentication refused failed api", "", "");
    assert_string_equal(row(f).failure.code, "authentication_required");
    assert_int_equal(asker->rc, ERR_PROVIDER_REJECTED);
}

static void a_declined_intent_that_lacks_its_error_is_declined_all_the_same(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, answer_declined());
    ask_with(f, answer_payment(PROVIDER_PAYMENT_OPEN));
    check(f, PAYMENT_FAILED, REQUESTED ", authentication refused failed api", "", "");
    assert_string_equal(row(f).failure.code, "authentication_required");
}

static void an_intent_that_is_canceled_can_not_be_brought_back(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, (struct provider_answer){
                                         .outcome = PROVIDER_REFUSED,
                                         .status = 400,
                                         .failure = {"payment_intent_unexpected_state", NULL, "Canceled."}});
    struct asker *asker = ask_with(f, answer_payment(PROVIDER_PAYMENT_CANCELED));
    check(f, PAYMENT_FAILED, REQUESTED ", authentication refused failed api", "", "");
    assert_string_equal(row(f).failure.code, "canceled");
    assert_int_equal(asker->rc, ERR_CONFLICT);
}

static void a_refused_key_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct asker *asker = ask_with(f, answer_no_auth());
    check(f, PAYMENT_FAILED, REQUESTED ", authentication refused failed api", "", "");
    assert_string_equal(row(f).failure.code, "authentication_required");
    assert_int_equal(asker->rc, ERR_PROVIDER_AUTH_FAILED);
}

static void an_answer_about_another_intent_is_not_believed(void **state)
{
    struct fixture *f = *state;
    struct provider_answer other = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    other.payment.id = "pi_2";
    ask_with(f, other);
    check(f, PAYMENT_FAILED, REQUESTED, "", "authenticate");
    f->provider.otherwise = answer_action();
    engine_run_s(f, 60);
    assert_int_equal(row(f).status, PAYMENT_PENDING);
}

// --- outcomes that are not known

static void a_lost_answer_is_asked_for_again_under_its_key(void **state)
{
    struct fixture *f = *state;
    struct asker *asker = ask_with(f, answer_unknown());
    check(f, PAYMENT_FAILED, REQUESTED, "", "authenticate");
    assert_int_equal(asker->answers, 0);
    f->provider.otherwise = answer_action();
    engine_run_s(f, 60);
    assert_int_equal(calls(f, PROVIDER_CONFIRM), 2);
    assert_string_equal(f->provider.calls[1].idempotency_key, f->provider.calls[0].idempotency_key);
    assert_string_equal(f->provider.calls[1].body, f->provider.calls[0].body);
    assert_int_equal(row(f).status, PAYMENT_PENDING);
    assert_int_equal(asker->status, 200);
}

static void a_client_whose_patience_ends_learns_that_the_work_goes_on(void **state)
{
    struct fixture *f = *state;
    f->config.patience_ms = 1000;
    struct asker *asker = ask_with(f, answer_unknown());
    engine_run_s(f, 2);
    assert_int_equal(asker->status, 202);
    assert_non_null(strstr(asker->body, "\"status\":\"failed\""));
    assert_string_equal(open_operations(f, &PAYMENT_ID), "authenticate");
}

static void nothing_is_confirmed_after_the_charge_window(void **state)
{
    struct fixture *f = *state;
    ask_with(f, answer_unknown());
    engine_run_s(f, WINDOW_S + 60);
    size_t confirmed = calls(f, PROVIDER_CONFIRM);
    for (size_t i = 0; i < f->provider.call_count; i++) {
        const struct fake_call *call = &f->provider.calls[i];
        bool late = call->wall_us >= START_US + WINDOW_S * US_PER_S;
        assert_int_equal(call->verb, late ? PROVIDER_RETRIEVE : PROVIDER_CONFIRM);
    }
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED); // one of them was carried out
    engine_run_s(f, 24 * 3600);
    assert_int_equal(calls(f, PROVIDER_CONFIRM), confirmed);
    check(f, PAYMENT_COMPLETED, REQUESTED ", completed completed recovery", "payment.completed", "");
}

static void an_unconfirmed_intent_is_read_twice_before_it_is_believed(void **state)
{
    struct fixture *f = *state;
    f->provider.otherwise = still_needs_its_payer();
    ask_with(f, answer_look_up());
    engine_run_s(f, 60);
    assert_int_equal(calls(f, PROVIDER_CONFIRM), 1);
    assert_int_equal(calls(f, PROVIDER_RETRIEVE), 1);
    check(f, PAYMENT_FAILED, REQUESTED, "", "authenticate");
    engine_run_s(f, 600);
    assert_int_equal(calls(f, PROVIDER_RETRIEVE), 2);
    check(f, PAYMENT_FAILED, REQUESTED ", authentication refused failed recovery", "", "");
}

static void an_unconfirmed_intent_that_lacks_its_error_is_not_brought_back(void **state)
{
    struct fixture *f = *state;
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_OPEN);
    ask_with(f, answer_look_up());
    engine_run_s(f, 700);
    assert_int_equal(calls(f, PROVIDER_RETRIEVE), 2);
    check(f, PAYMENT_FAILED, REQUESTED ", authentication refused failed recovery", "", "");
    assert_string_equal(row(f).failure.code, "authentication_required");
}

static void a_late_confirmation_is_noticed_by_the_second_read(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, answer_look_up());
    f->provider.otherwise = answer_action();
    ask_with(f, still_needs_its_payer());
    engine_run_s(f, 700);
    assert_int_equal(row(f).status, PAYMENT_PENDING);
    assert_int_equal(row(f).next_action, NEXT_ACTION_REDIRECT);
}

// --- beside it

static enum errc tell_that_it_was_paid(struct fixture *f, struct tx *tx, struct op **op, struct err *err)
{
    struct payment payment = {0};
    const struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    (void)op;
    enum errc rc = payment_get(tx->db, &PAYMENT_ID, NULL, &f->arena, &payment, err);
    tx->cause = "event";
    return rc == OK ? payment_apply_reported(tx, &payment, &reported, err) : rc;
}

static void an_event_that_comes_before_the_answer_completes_the_payment_once(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    struct asker *asker = ask(f);
    (void)prepare(f, tell_that_it_was_paid);
    fake_provider_answer(&f->provider, answer_action()); // an answer of before
    fake_loop_run_for(&f->loop, 0);
    check(f, PAYMENT_COMPLETED, REQUESTED ", completed completed event", "payment.completed", "");
    assert_int_equal(asker->status, 200);
    assert_non_null(strstr(asker->body, "\"status\":\"completed\""));
}

static void a_paid_intent_is_not_confirmed_again(void **state)
{
    struct fixture *f = *state;
    ask_with(f, answer_unknown());
    (void)prepare(f, tell_that_it_was_paid);
    engine_run_s(f, 3600);
    assert_int_equal(f->provider.call_count, 1);
    assert_string_equal(open_operations(f, &PAYMENT_ID), "");
}

static void a_payer_who_fails_to_authenticate_ends_it_and_its_intent(void **state)
{
    struct fixture *f = *state;
    ask_with(f, answer_action());
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED));
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_CANCELED);
    engine_run_s(f, 60);
    assert_int_equal(calls(f, PROVIDER_CANCEL), 1);
    check(f, PAYMENT_FAILED,
          REQUESTED ", reopened pending api, action required pending api, failed failed recovery,"
                    " canceled at the provider failed recovery",
          "payment.failed", "");
}

// Made before the payment was reopened, and reported after it.
static void a_failure_that_was_read_before_is_not_taken_for_a_new_one(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    ask(f);
    run_sql(f, "INSERT INTO operations (subject_id, kind, merchant_id, livemode, credential_version_id,"
               " attempts, unresolved, look_up, absent_us, next_attempt_us, created_us)"
               " SELECT subject_id, 'sync', merchant_id, livemode, credential_version_id, 0, 0, 0, 0, 0,"
               " created_us FROM operations");
    engine_due(f->engine, 0);
    engine_run_s(f, 1);
    assert_int_equal(calls(f, PROVIDER_RETRIEVE), 1);
    fake_provider_answer(&f->provider, answer_action());
    fake_loop_run_for(&f->loop, 0);
    fake_provider_answer(&f->provider, still_needs_its_payer());
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(row(f).status, PAYMENT_PENDING);
    assert_int_equal(calls(f, PROVIDER_RETRIEVE), 2); // it is read again at once
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED));
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(row(f).status, PAYMENT_FAILED);
}

static int free_asker(void **state)
{
    (void)state;
    free(the_asker.body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_payer_who_has_to_authenticate_makes_the_payment_pending_again),
        TEST(a_payer_who_need_not_authenticate_completes_the_payment),
        TEST(a_payment_with_manual_capture_is_authorised),
        TEST(an_authentication_that_takes_long_is_pending),
        TEST(a_decline_leaves_it_failed_for_the_new_reason),
        TEST(a_refusal_that_is_no_decline_leaves_the_reason_as_it_was),
        TEST(a_declined_intent_that_lacks_its_error_is_declined_all_the_same),
        TEST(an_intent_that_is_canceled_can_not_be_brought_back),
        TEST(a_refused_key_changes_nothing),
        TEST(an_answer_about_another_intent_is_not_believed),
        TEST(a_lost_answer_is_asked_for_again_under_its_key),
        TEST(a_client_whose_patience_ends_learns_that_the_work_goes_on),
        TEST(nothing_is_confirmed_after_the_charge_window),
        TEST(an_unconfirmed_intent_is_read_twice_before_it_is_believed),
        TEST(an_unconfirmed_intent_that_lacks_its_error_is_not_brought_back),
        TEST(a_late_confirmation_is_noticed_by_the_second_read),
        TEST(an_event_that_comes_before_the_answer_completes_the_payment_once),
        TEST(a_paid_intent_is_not_confirmed_again),
        TEST(a_payer_who_fails_to_authenticate_ends_it_and_its_intent),
        TEST(a_failure_that_was_read_before_is_not_taken_for_a_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, free_asker);
}
