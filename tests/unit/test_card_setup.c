// A card that its payer sets up: how the setup is checked, and that it always ends.
#include "prepared_fixture.h"

#include "op/state/inbound.h"
#include "provider/event.h"

#define DAY_S (24 * 3600)

static size_t calls(const struct fixture *f, enum provider_verb verb)
{
    return fake_provider_count(&f->provider, verb);
}

static size_t events(struct fixture *f, const char *type)
{
    char sql[100];
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM outbox WHERE type = '%s'", type);
    return (size_t)sql_number(f, sql);
}

// A pending card, whose set-up stays open at the provider.
static void begin_pending(struct fixture *f)
{
    f->config.reconcile_interval_ms =
        600 * 1000; // the rest of the test lasts days; due operations are still swept on time
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    f->provider.otherwise = answer_setup(SETUP_OPEN);
    struct prepared card = prepare(f, prepare_setup_card);
    prepared_go(&card);
    assert_int_equal(card_row(f).status, CARD_PENDING);
}

static void a_payer_who_comes_back_after_days_still_sets_the_card_up(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    engine_run_s(f, 3 * DAY_S);
    assert_int_equal(card_row(f).status, CARD_PENDING);
    f->provider.otherwise = answer_setup(SETUP_SUCCEEDED);
    engine_run_s(f, DAY_S);
    struct card card = card_row(f);
    assert_int_equal(card.status, CARD_ACTIVE);
    assert_string_equal(card.provider_ref, "pm_1");
    assert_null(card.action_secret_sealed);
    assert_string_equal(open_operations(f, &card.id), "");
    assert_int_equal(events(f, "card.saved"), 1);
}

static void a_payment_is_checked_less_and_less_often(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    engine_run_s(f, 600);
    assert_in_range(calls(f, PROVIDER_SETUP_RETRIEVE), 2, 30);
    size_t asked = calls(f, PROVIDER_SETUP_RETRIEVE);
    engine_run_s(f, 3 * DAY_S);
    assert_in_range(calls(f, PROVIDER_SETUP_RETRIEVE) - asked, 3, 100);
}

static void a_payer_who_never_comes_back_leaves_a_failed_card_and_a_canceled_set_up(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    engine_run_s(f, 6 * DAY_S);
    assert_int_equal(calls(f, PROVIDER_SETUP_CANCEL), 0);
    f->provider.otherwise = answer_setup(SETUP_CANCELED);
    run_sql(
        f,
        "UPDATE operations SET next_attempt_us = next_attempt_us + 172800000000 WHERE kind = 'card_setup'");
    engine_run_s(f, 3 * DAY_S);
    struct card card = card_row(f);
    assert_int_equal(calls(f, PROVIDER_SETUP_CANCEL), 1);
    assert_int_equal(card.status, CARD_FAILED);
    assert_string_equal(card.failure.code, "canceled");
    assert_string_equal(open_operations(f, &card.id), "");
    assert_int_equal(events(f, "card.failed"), 1);
}

static void a_payer_who_was_faster_than_the_cancellation_has_set_the_card_up(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    run_sql(f, "UPDATE cards SET created_us = created_us - 700000000000");
    fake_provider_will(&f->provider, answer_not_found()); // refused: it can no longer be canceled
    f->provider.otherwise = answer_setup(SETUP_SUCCEEDED);
    engine_run_s(f, DAY_S);
    assert_int_equal(calls(f, PROVIDER_SETUP_CANCEL), 1);
    assert_int_equal(card_row(f).status, CARD_ACTIVE);
}

static void a_setup_that_the_present_account_does_not_know_fails(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    f->provider.otherwise = answer_not_found();
    engine_run_s(f, DAY_S);
    struct card card = card_row(f);
    assert_int_equal(card.status, CARD_FAILED);
    assert_string_equal(open_operations(f, &card.id), "");
}

static void a_payer_who_must_act_only_later_gets_the_redirect(void **state)
{
    struct fixture *f = *state;
    f->config.reconcile_interval_ms = 600 * 1000;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    f->provider.otherwise = answer_setup(SETUP_OPEN);
    f->provider.otherwise.setup.next_action = NEXT_ACTION_NONE;
    struct prepared card = prepare(f, prepare_setup_card);
    prepared_go(&card);
    assert_int_equal(card_row(f).next_action, NEXT_ACTION_NONE);
    f->provider.otherwise = answer_setup(SETUP_OPEN);
    engine_run_s(f, 3600);
    assert_int_equal(card_row(f).next_action, NEXT_ACTION_REDIRECT);
    assert_non_null(card_row(f).action_secret_sealed);
}

static void an_answer_about_the_setup_of_another_card_is_not_accepted(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    f->provider.otherwise = answer_setup(SETUP_SUCCEEDED);
    f->provider.otherwise.setup.id = "seti_2";
    engine_run_s(f, DAY_S);
    assert_int_equal(card_row(f).status, CARD_PENDING);
    f->provider.otherwise.setup.id = "seti_1";
    f->provider.otherwise.setup.card_id = "01890000-0000-7000-8000-000000000000";
    engine_run_s(f, DAY_S);
    assert_int_equal(card_row(f).status, CARD_PENDING);
}

// After that the provider may have forgotten the key, and would set the card up a second time.
static void a_setup_whose_outcome_is_unknown_for_a_day_is_looked_up(void **state)
{
    struct fixture *f = *state;
    f->config.reconcile_interval_ms =
        600 * 1000; // the rest of the test lasts days; due operations are still swept on time
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    struct prepared card = prepare(f, prepare_setup_card); // and no answer comes from then on
    prepared_go(&card);
    engine_run_s(f, 20 * 3600);
    assert_int_equal(calls(f, PROVIDER_SETUP_LIST), 0); // a request that is late would make it twice
    engine_run_s(f, DAY_S);
    const struct fake_call *last = &f->provider.calls[f->provider.call_count - 1];
    assert_int_equal(last->verb, PROVIDER_SETUP_LIST);
    assert_string_equal(last->ref, "cus_1");
    struct setup setup = answer_setup(SETUP_OPEN).setup;
    char id[UUID_TEXT_BYTES];
    uuid_format(&CARD_ID, id);
    setup.card_id = id;
    size_t made = calls(f, PROVIDER_SETUP);
    f->provider.otherwise =
        (struct provider_answer){.outcome = PROVIDER_DONE, .status = 200, .setups = &setup, .setup_count = 1};
    engine_run_s(f, 3600);
    assert_int_equal(calls(f, PROVIDER_SETUP), made);
    assert_int_equal(card_row(f).status, CARD_PENDING);
}

// Written as it would be by a request for another spelling of the e-mail.
static void save_as_another_card(struct fixture *f, const char *method_ref)
{
    struct card card = card_row(f);
    card.id.bytes[15]++;
    card.status = CARD_ACTIVE;
    card.provider_ref = method_ref;
    card.setup_ref = NULL;
    transaction_begin(f);
    assert_int_equal(card_insert(f->db, &card, &f->err), OK);
    transaction_end(f);
}

// The setup is read once more, because its event comes while it is being read.
static void a_card_that_is_saved_as_another_one_keeps_its_method(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    save_as_another_card(f, "pm_1");
    f->provider.holds = true;
    while (calls(f, PROVIDER_SETUP_RETRIEVE) == 0) {
        engine_run_s(f, 1);
    }
    apply_event(f, (struct provider_event){.id = "evt_1",
                                           .type = "setup_intent.succeeded",
                                           .kind = EVENT_SETUP,
                                           .complete = true,
                                           .object_id = "seti_1"});
    f->provider.holds = false;
    fake_provider_answer(&f->provider, answer_setup(SETUP_SUCCEEDED));
    fake_provider_will(&f->provider, answer_not_found()); // it can no longer be canceled
    f->provider.otherwise = answer_setup(SETUP_SUCCEEDED);
    engine_run_s(f, DAY_S);
    assert_int_equal(card_row(f).status, CARD_GONE);
    assert_int_equal(calls(f, PROVIDER_DETACH), 0);
    assert_int_equal(calls(f, PROVIDER_SETUP_CANCEL), 0);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM cards WHERE status = 'active'"), 1);
}

static void a_card_that_is_detached_before_it_is_saved_is_failed(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    f->provider.otherwise = answer_setup(SETUP_SUCCEEDED);
    f->provider.otherwise.method.detached = true;
    engine_run_s(f, DAY_S);
    struct card card = card_row(f);
    assert_int_equal(card.status, CARD_FAILED);
    assert_string_equal(card.failure.code, "detached");
    assert_string_equal(open_operations(f, &card.id), "");
}

static void a_card_whose_customer_is_deleted_before_it_is_saved_is_failed(void **state)
{
    struct fixture *f = *state;
    begin_pending(f);
    apply_event(f, (struct provider_event){.id = "evt_1",
                                           .type = "customer.deleted",
                                           .kind = EVENT_CUSTOMER_GONE,
                                           .complete = true,
                                           .object_id = "cus_1"});
    f->provider.otherwise = answer_setup(SETUP_SUCCEEDED);
    engine_run_s(f, DAY_S);
    assert_int_equal(card_row(f).status, CARD_FAILED);
    assert_int_equal(events(f, "card.failed"), 1);
}

static void a_method_with_an_event_during_its_setup_is_read_once_more(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    f->provider.otherwise = answer_method("pm_1");
    f->provider.otherwise.method.detached = true;
    struct prepared card = prepare(f, prepare_setup_card);
    op_run(card.op);
    while (calls(f, PROVIDER_CUSTOMER) == 0) {
        fake_loop_run_task(&f->loop);
    }
    f->provider.holds = true;
    fake_loop_run_for(&f->loop, 0);
    apply_event(f, (struct provider_event){.id = "evt_1",
                                           .type = "payment_method.detached",
                                           .kind = EVENT_METHOD_GONE,
                                           .complete = true,
                                           .object_id = "pm_1",
                                           .customer_ref = "cus_1"});
    f->provider.holds = false;
    fake_provider_answer(&f->provider, answer_setup(SETUP_SUCCEEDED));
    fake_loop_run_for(&f->loop, 0);
    assert_int_equal(calls(f, PROVIDER_METHOD_RETRIEVE), 1);
    assert_int_equal(card_row(f).status, CARD_GONE);
}

static void a_setup_that_was_looked_up_and_never_made_is_made_then(void **state)
{
    struct fixture *f = *state;
    f->config.reconcile_interval_ms =
        600 * 1000; // the rest of the test lasts days; due operations are still swept on time
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    struct prepared card = prepare(f, prepare_setup_card); // and no answer comes from then on
    prepared_go(&card);
    engine_run_s(f, 2 * DAY_S);
    size_t made = calls(f, PROVIDER_SETUP);
    assert_int_equal(f->provider.calls[f->provider.call_count - 1].verb, PROVIDER_SETUP_LIST);
    const char *first_key = f->provider.calls[1].idempotency_key;
    fake_provider_will(&f->provider, (struct provider_answer){.outcome = PROVIDER_DONE, .status = 200});
    f->provider.otherwise = answer_setup(SETUP_OPEN);
    engine_run_s(f, 3600);
    assert_int_equal(calls(f, PROVIDER_SETUP), made + 1);
    assert_int_equal(card_row(f).status, CARD_PENDING);
    for (size_t i = f->provider.call_count - 1; i > 1; i--) {
        if (f->provider.calls[i].verb == PROVIDER_SETUP) {
            assert_string_not_equal(f->provider.calls[i].idempotency_key, first_key);
            break;
        }
    }
}

static void a_setup_for_another_customer_is_looked_up_among_that_customers_setups(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    struct prepared card = prepare(f, prepare_setup_card); // and no answer comes from then on
    prepared_go(&card);
    run_sql(f, "UPDATE customers SET gone_us = 1");
    run_sql(f, "INSERT INTO customers SELECT randomblob(16), merchant_id, livemode, email, body, 'cus_2',"
               " credential_version_id, 0, created_us FROM customers");
    f->provider.otherwise = (struct provider_answer){.outcome = PROVIDER_LOOK_UP, .status = 500};
    engine_run_s(f, 60);
    size_t asked = 0;
    for (size_t i = 0; i < f->provider.call_count; i++) {
        if (f->provider.calls[i].verb == PROVIDER_SETUP_LIST) {
            assert_string_equal(f->provider.calls[i].ref, "cus_2");
            asked++;
        }
    }
    assert_in_range(asked, 1, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_payer_who_comes_back_after_days_still_sets_the_card_up),
        TEST(a_payment_is_checked_less_and_less_often),
        TEST(a_payer_who_never_comes_back_leaves_a_failed_card_and_a_canceled_set_up),
        TEST(a_payer_who_was_faster_than_the_cancellation_has_set_the_card_up),
        TEST(a_setup_that_the_present_account_does_not_know_fails),
        TEST(a_payer_who_must_act_only_later_gets_the_redirect),
        TEST(an_answer_about_the_setup_of_another_card_is_not_accepted),
        TEST(a_setup_whose_outcome_is_unknown_for_a_day_is_looked_up),
        TEST(a_card_that_is_saved_as_another_one_keeps_its_method),
        TEST(a_card_that_is_detached_before_it_is_saved_is_failed),
        TEST(a_card_whose_customer_is_deleted_before_it_is_saved_is_failed),
        TEST(a_method_with_an_event_during_its_setup_is_read_once_more),
        TEST(a_setup_that_was_looked_up_and_never_made_is_made_then),
        TEST(a_setup_for_another_customer_is_looked_up_among_that_customers_setups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
