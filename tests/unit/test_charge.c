// A charge from prepare to reply: how each outcome changes the payment, what the buyer gets, and what stays
// open.
#include "engine_fixture.h"

#include "base/json.h"
#include "base/text.h"
#include "op/state/reply.h"

static struct provider_answer with_state(struct provider_answer answer, enum provider_payment_state state)
{
    answer.payment.state = state;
    answer.payment.received_provider_minor = answer_payment(state).payment.received_provider_minor;
    return answer;
}

// --- each outcome of the first attempt

struct outcome {
    const char *what;
    struct provider_answer answer;
    const char *status; // also the buyer's; NULL: the buyer still waits
    const char *history;
    const char *events;
    const char *open;
};

static void check_outcome(struct fixture *f, const struct outcome *outcome)
{
    f->provider.answer_count = f->provider.answered = 0;
    fake_provider_will(&f->provider, outcome->answer);
    run_sql(f, "UPDATE payments SET provider_ref = NULL");
    struct buyer *buyer = buy(f);
    const struct uuid *id = &buyer->payment.id;
    const char *status = answered_status(buyer);
    if (!text_equal(status, outcome->status) || strcmp(history_of(f, id), outcome->history) != 0 ||
        strcmp(events_of(f, id), outcome->events) != 0 ||
        strcmp(open_operations(f, id), outcome->open) != 0) {
        fail_msg("%s: answered %s, history \"%s\", events \"%s\", open \"%s\"", outcome->what,
                 status != NULL ? status : "nothing", history_of(f, id), events_of(f, id),
                 open_operations(f, id));
    }
    assert_string_equal(payment_status_name(payment_row(f, id).status), status != NULL ? status : "pending");
    assert_int_equal(buyer->answers, status != NULL);
    assert_int_equal(buyer->status, status != NULL ? 201 : 0);
}

#define CREATED "created pending api"
#define COMPLETED CREATED ", completed completed api"
#define FAILED CREATED ", failed failed api"
#define PROCESSING CREATED ", processing pending api"

static void each_outcome_of_a_charge_is_settled_as_the_contract_says(void **state)
{
    struct provider_answer refused = answer_not_found(); // without an intent
    struct provider_answer other_amount = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    other_amount.payment.amount_provider_minor = 4999;
    struct provider_answer others_intent = answer_declined();
    others_intent.payment.payment_id = "018f0000-0000-7000-8000-00000000000f";
    const struct outcome outcomes[] = {
        {"succeeded", answer_payment(PROVIDER_PAYMENT_SUCCEEDED), "completed", COMPLETED, "payment.completed",
         ""},
        {"processing", answer_payment(PROVIDER_PAYMENT_OPEN), "pending", PROCESSING, "", "sync"},
        {"an action", answer_action(), "pending", CREATED ", action required pending api", "", "sync"},
        {"authorised", answer_payment(PROVIDER_PAYMENT_CAPTURABLE), "pending",
         CREATED ", capturable pending api", "payment.capturable", "sync"},
        {"canceled", answer_payment(PROVIDER_PAYMENT_CANCELED), "failed", FAILED, "payment.failed", ""},
        {"an attempt failed", answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED), "failed", FAILED,
         "payment.failed", ""},
        {"declined", answer_declined(), "failed", FAILED, "payment.failed", ""},
        {"refused", refused, "failed", FAILED, "payment.failed", ""},
        {"refused, and yet succeeded", with_state(answer_declined(), PROVIDER_PAYMENT_SUCCEEDED), "completed",
         COMPLETED, "payment.completed", ""},
        {"refused, and yet authorised", with_state(answer_declined(), PROVIDER_PAYMENT_CAPTURABLE), "pending",
         CREATED ", capturable pending api", "payment.capturable", "sync"},
        {"refused, and yet open", with_state(answer_declined(), PROVIDER_PAYMENT_OPEN), "pending", PROCESSING,
         "", "sync"},
        {"no authority", answer_no_auth(), "failed", FAILED, "payment.failed", ""},
        {"unknown", answer_unknown(), NULL, CREATED, "", "charge"},
        {"to be looked up", answer_look_up(), NULL, CREATED, "", "charge"},
        {"done, over another amount", other_amount, NULL, CREATED, "", "charge"},
        {"declined, naming another payment", others_intent, NULL, CREATED, "", "charge"},
    };
    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        check_outcome(*state, &outcomes[i]);
    }
}

static void a_decline_is_kept_with_its_reason_and_its_intent(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, answer_declined());
    struct buyer *buyer = buy(f);
    struct payment payment = payment_row(f, &buyer->payment.id);
    assert_string_equal(payment.failure.code, "card_declined");
    assert_string_equal(payment.failure.decline_code, "generic_decline");
    assert_string_equal(payment.failure.message, "Your card was declined.");
    assert_string_equal(payment.provider_ref, "pi_1");
    assert_non_null(strstr(buyer->body, "\"failure\":{\"code\":\"card_declined\""));
}

static void a_payer_who_must_act_learns_how(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, answer_action());
    struct buyer *buyer = buy(f);
    assert_non_null(strstr(buyer->body, "\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_url\":"
                                        "\"https://hooks.example/3ds\"}"));
    assert_null(strstr(buyer->body, "pi_1_secret_s"));
}

static void a_payer_who_must_act_by_the_sdk_gets_the_client_secret(void **state)
{
    struct fixture *f = *state;
    struct provider_answer answer = answer_action();
    answer.payment.next_action = NEXT_ACTION_SDK;
    answer.payment.redirect_url = NULL;
    fake_provider_will(&f->provider, answer);
    struct buyer *buyer = buy(f);
    assert_non_null(strstr(
        buyer->body, "\"next_action\":{\"type\":\"use_stripe_sdk\",\"client_secret\":\"pi_1_secret_s\"}"));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM replies WHERE instr(body, 'secret_s') > 0"), 0);
}

// --- the call

static void a_charge_is_called_with_its_stored_body_its_key_and_its_credentials(void **state)
{
    struct fixture *f = *state;
    struct buyer *buyer = buy(f);
    char key[64];
    char id[UUID_TEXT_BYTES];
    uuid_format(&buyer->payment.id, id);
    (void)snprintf(key, sizeof(key), "pay_%s", id);
    const struct fake_call *call = &f->provider.calls[0];
    assert_int_equal(call->verb, PROVIDER_CHARGE);
    assert_string_equal(call->idempotency_key, key);
    assert_string_equal(call->secret_key, SECRET_KEY);
    const char *body = NULL;
    assert_int_equal(
        provider_default()->charge_body(&buyer->payment, NULL, NULL, false, &f->arena, &body, &f->err), OK);
    assert_string_equal(call->body, body);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations WHERE body IS NOT NULL"), 1);
}

static void nothing_is_called_before_the_payment_is_durable(void **state)
{
    struct fixture *f = *state;
    struct buyer *buyer = buyer_new(f);
    assert_int_equal(buyer_prepare(buyer), OK);
    assert_int_equal(f->provider.call_count, 0);
    assert_string_equal(history_of(f, &buyer->payment.id), CREATED);
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
    assert_int_equal(sql_number(f, "SELECT unresolved + look_up FROM operations"), 0);
}

static void a_payment_that_cannot_be_prepared_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct buyer *buyer = buyer_new(f);
    buyer->payment.credential_version_id = (struct uuid){{9}}; // of which no secret key is kept
    assert_int_equal(buyer_prepare(buyer), ERR_NOT_FOUND);
    assert_null(buyer->op);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments"), 0);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations"), 0);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payment_history"), 0);
}

static void a_repeated_attempt_is_the_same_request(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_unknown());
    fake_provider_will(&f->provider, answer_unknown());
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    struct buyer *buyer = buy(f);
    engine_run_s(f, 5);
    assert_int_equal(f->provider.call_count, 3);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(f->provider.calls[i].verb, PROVIDER_CHARGE);
        assert_string_equal(f->provider.calls[i].idempotency_key, f->provider.calls[0].idempotency_key);
        assert_string_equal(f->provider.calls[i].body, f->provider.calls[0].body);
        assert_string_equal(f->provider.calls[i].secret_key, f->provider.calls[0].secret_key);
        assert_true(f->provider.calls[i].wall_us >= f->provider.calls[i - 1].wall_us + 250000);
    }
    assert_string_equal(answered_status(buyer), "completed");
    assert_string_equal(history_of(f, &buyer->payment.id), CREATED ", completed completed recovery");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

static void a_longer_wait_that_the_provider_asks_for_is_kept(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct provider_answer answer = answer_unknown();
    answer.retry_after_us = 20 * US_PER_S;
    fake_provider_will(&f->provider, answer);
    buy(f);
    engine_run_s(f, 19);
    assert_int_equal(f->provider.call_count, 1);
    engine_run_s(f, 2);
    assert_true(f->provider.call_count > 1);
}

// --- the stored answer

static void the_answer_is_stored_as_it_was_given(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    struct buyer *buyer = buy(f);
    struct op_answer answer = {0};
    assert_int_equal(stored_answer(f, &buyer->payment.id, &answer), OK);
    assert_int_equal(answer.status, 201);
    assert_string_equal(answer.body, buyer->body);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM replies WHERE instr(body, 'amount') > 0"), 0);
}

static void an_answer_belongs_to_its_payment_alone(void **state)
{
    struct fixture *f = *state;
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    struct buyer *buyer = buy(f);
    run_sql(f, "UPDATE replies SET subject_id = x'0102030405060708090a0b0c0d0e0f10'");
    struct uuid moved = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    struct op_answer answer = {0};
    assert_int_equal(stored_answer(f, &moved, &answer), ERR_CRYPTO);
    assert_int_equal(stored_answer(f, &buyer->payment.id, &answer), OK);
    assert_null(answer.body);
}

static void an_open_charge_has_no_answer_while_its_buyer_waits(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    buy(f);
    engine_run_s(f, 29);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM replies"), 0);
}

// --- many at once

static void every_buyer_gets_the_answer_to_its_own_payment(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    for (int i = 0; i < 50; i++) {
        buy(f);
    }
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_int_equal(stats.in_flight, 50);
    assert_int_equal(stats.waiting, 50);
    for (int i = 0; i < 50; i++) {
        struct provider_answer answer =
            i % 2 == 0 ? answer_payment(PROVIDER_PAYMENT_SUCCEEDED) : answer_declined();
        answer.payment.id = arena_printf(&f->arena, "pi_%d", i);
        fake_provider_answer(&f->provider, answer);
    }
    fake_loop_run_tasks(&f->loop);
    for (size_t i = 0; i < 50; i++) {
        char id[UUID_TEXT_BYTES];
        uuid_format(&f->buyers[i]->payment.id, id);
        assert_non_null(strstr(f->buyers[i]->body, id));
        assert_string_equal(answered_status(f->buyers[i]), i % 2 == 0 ? "completed" : "failed");
    }
    engine_stats(f->engine, &stats);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.waiting, 0);
}

static void there_is_room_for_as_many_operations_as_are_allowed(void **state)
{
    struct fixture *f = *state;
    f->config.operations_max = 3;
    f->provider.holds = true;
    assert_false(engine_has_room(f->engine)); // what the last process left open goes first
    engine_begin(f);
    for (int i = 0; i < 3; i++) {
        assert_true(engine_has_room(f->engine));
        buy(f);
    }
    assert_false(engine_has_room(f->engine));
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    assert_true(engine_has_room(f->engine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_outcome_of_a_charge_is_settled_as_the_contract_says),
        TEST(a_decline_is_kept_with_its_reason_and_its_intent),
        TEST(a_payer_who_must_act_learns_how),
        TEST(a_payer_who_must_act_by_the_sdk_gets_the_client_secret),
        TEST(a_charge_is_called_with_its_stored_body_its_key_and_its_credentials),
        TEST(nothing_is_called_before_the_payment_is_durable),
        TEST(a_payment_that_cannot_be_prepared_leaves_nothing),
        TEST(a_repeated_attempt_is_the_same_request),
        TEST(a_longer_wait_that_the_provider_asks_for_is_kept),
        TEST(the_answer_is_stored_as_it_was_given),
        TEST(an_answer_belongs_to_its_payment_alone),
        TEST(an_open_charge_has_no_answer_while_its_buyer_waits),
        TEST(every_buyer_gets_the_answer_to_its_own_payment),
        TEST(there_is_room_for_as_many_operations_as_are_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
