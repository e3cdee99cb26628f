// A charge whose outcome is unknown: sent again only within the charge window, then looked up, with the same
// credentials to the end.
#include "prepared_fixture.h"

#define WINDOW_US (600 * US_PER_S)

static int64_t age_of_call_us(const struct fixture *f, size_t i)
{
    return f->provider.calls[i].wall_us - START_US;
}

// Lets time pass until the next call of this verb.
static const struct fake_call *next_call(struct fixture *f, enum provider_verb verb, int seconds_max)
{
    for (int i = 0; i < seconds_max * 10; i++) {
        size_t before = f->provider.call_count;
        fake_loop_run_for(&f->loop, US_PER_S / 10);
        for (size_t j = before; j < f->provider.call_count; j++) {
            if (f->provider.calls[j].verb == verb) {
                return &f->provider.calls[j];
            }
        }
    }
    fail_msg("no such call within %d seconds", seconds_max);
    return NULL;
}

// --- the window

static void a_charge_is_sent_again_until_its_window_ends_and_then_only_looked_up(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy(f);
    engine_run_s(f, 900);
    size_t sent = charges(f);
    assert_in_range(sent, 100, 400);
    for (size_t i = 0; i < f->provider.call_count; i++) {
        bool in_window = age_of_call_us(f, i) < WINDOW_US;
        assert_int_equal(f->provider.calls[i].verb, in_window ? PROVIDER_CHARGE : PROVIDER_LIST);
    }
    assert_true(lists(f) > 10);
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
}

static void a_list_covers_all_the_time_in_which_the_charge_can_have_been_made(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    buy(f);
    const struct fake_call *list = next_call(f, PROVIDER_LIST, 900);
    int64_t created_s = START_US / US_PER_S;
    assert_true(list->created_from_s <= created_s);
}

static void a_shorter_window_is_kept(void **state)
{
    struct fixture *f = *state;
    f->config.charge_window_ms = 7000;
    engine_begin(f);
    buy(f);
    engine_run_s(f, 60);
    for (size_t i = 0; i < f->provider.call_count; i++) {
        assert_int_equal(f->provider.calls[i].verb == PROVIDER_CHARGE, age_of_call_us(f, i) < 7 * US_PER_S);
    }
    assert_true(lists(f) > 0);
}

// --- looking

static void a_charge_that_must_be_looked_up_is_never_sent_again(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_look_up());
    struct buyer *buyer = buy(f);
    engine_run_s(f, 60);
    assert_int_equal(charges(f), 1);
    assert_true(lists(f) > 3);
    engine_crash(f);
    engine_begin(f);
    engine_run_s(f, 60);
    assert_int_equal(charges(f), 1);
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
}

static void a_charge_that_is_found_in_a_list_is_taken(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_look_up());
    struct buyer *buyer = buyer_new(f);
    assert_int_equal(buyer_prepare(buyer), OK);
    struct uuid other = uuid_new(&random_system, START_US);
    struct provider_payment intents[] = {listed(f, &other, "pi_9", PROVIDER_PAYMENT_SUCCEEDED),
                                         listed(f, &buyer->payment.id, "pi_1", PROVIDER_PAYMENT_SUCCEEDED)};
    intents[0].payment_id = NULL; // not one of ours
    fake_provider_will(&f->provider, answer_list(intents, 2, NULL));
    buyer_go(buyer);
    engine_run_s(f, 2);
    assert_string_equal(answered_status(buyer), "completed");
    assert_string_equal(payment_row(f, &buyer->payment.id).provider_ref, "pi_1");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

static void a_list_is_read_page_by_page(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_look_up());
    struct buyer *buyer = buyer_new(f);
    assert_int_equal(buyer_prepare(buyer), OK);
    struct uuid other = uuid_new(&random_system, START_US);
    struct provider_payment first = listed(f, &other, "pi_9", PROVIDER_PAYMENT_SUCCEEDED);
    struct provider_payment second = listed(f, &other, "pi_8", PROVIDER_PAYMENT_SUCCEEDED);
    struct provider_payment third = listed(f, &buyer->payment.id, "pi_1", PROVIDER_PAYMENT_ATTEMPT_FAILED);
    fake_provider_will(&f->provider, answer_list(&first, 1, "pi_9"));
    fake_provider_will(&f->provider, answer_list(&second, 1, "pi_8"));
    fake_provider_will(&f->provider, answer_list(&third, 1, "pi_1"));
    buyer_go(buyer);
    engine_run_s(f, 2);
    assert_int_equal(lists(f), 3);
    assert_null(f->provider.calls[1].page);
    assert_string_equal(f->provider.calls[2].page, "pi_9");
    assert_string_equal(f->provider.calls[3].page, "pi_8");
    assert_string_equal(answered_status(buyer), "failed");
}

static void a_list_that_breaks_off_proves_nothing(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_look_up());
    struct buyer *buyer = buy(f);
    struct uuid other = uuid_new(&random_system, START_US);
    struct provider_payment first = listed(f, &other, "pi_9", PROVIDER_PAYMENT_SUCCEEDED);
    fake_provider_will(&f->provider, answer_list(&first, 1, "pi_9"));
    fake_provider_will(&f->provider, answer_unknown());
    next_call(f, PROVIDER_LIST, 10);
    assert_int_equal(sql_number(f, "SELECT absent_us FROM operations"), 0);
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
}

static void a_charge_that_is_absent_once_stays_open(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_look_up());
    fake_provider_will(&f->provider, answer_list(NULL, 0, NULL));
    struct buyer *buyer = buy(f);
    engine_run_s(f, 3600);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
    assert_int_equal(charges(f), 1);
}

static void a_charge_that_is_absent_twice_ten_minutes_apart_has_failed(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_look_up());
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    struct buyer *buyer = buy(f);
    int64_t first_us = next_call(f, PROVIDER_LIST, 10)->wall_us;
    engine_run_s(f, 598);
    assert_int_equal(lists(f), 1);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
    int64_t second_us = next_call(f, PROVIDER_LIST, 10)->wall_us;
    assert_true(second_us - first_us >= 600 * US_PER_S);
    struct payment payment = payment_row(f, &buyer->payment.id);
    assert_int_equal(payment.status, PAYMENT_FAILED);
    assert_string_equal(payment.failure.code, "provider_unavailable");
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.failed");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
    assert_string_equal(history_of(f, &buyer->payment.id), "created pending api, failed failed recovery");
}

static void a_charge_whose_intent_is_known_is_read_by_its_id(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy(f);
    run_sql(f, "UPDATE payments SET provider_ref = 'pi_1'"); // as an event does
    const struct fake_call *read = next_call(f, PROVIDER_RETRIEVE, 10);
    assert_string_equal(read->ref, "pi_1");
    size_t sent = charges(f);
    fake_provider_will(&f->provider, answer_not_found()); // proves nothing about the charge
    next_call(f, PROVIDER_RETRIEVE, 10);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 3600); // a useless answer is asked for again at growing intervals
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
    assert_int_equal(charges(f), sent);
    assert_int_equal(lists(f), 0);
}

// --- credentials

static void a_charge_keeps_the_credentials_it_was_first_sent_with(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    buy(f);
    put_credentials(f, 2, "sk_test_second");
    engine_run_s(f, 900);
    for (size_t i = 0; i < f->provider.call_count; i++) {
        assert_string_equal(f->provider.calls[i].secret_key, SECRET_KEY);
    }
    assert_true(lists(f) > 0);
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    engine_run_s(f, 700);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations"), 0);
    put_credentials(f, 3, "sk_test_third");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM credential_versions WHERE secret_key IS NOT NULL"),
                     1);
}

static void a_key_that_is_refused_later_leaves_the_charge_open(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_unknown());
    f->provider.otherwise = answer_no_auth();
    struct buyer *buyer = buy(f);
    engine_run_s(f, 24 * 3600);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
    assert_string_equal(events_of(f, &buyer->payment.id), "");
    assert_in_range(f->provider.call_count, 10, 60); // at growing intervals
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_charge_is_sent_again_until_its_window_ends_and_then_only_looked_up),
        TEST(a_list_covers_all_the_time_in_which_the_charge_can_have_been_made),
        TEST(a_shorter_window_is_kept),
        TEST(a_charge_that_must_be_looked_up_is_never_sent_again),
        TEST(a_charge_that_is_found_in_a_list_is_taken),
        TEST(a_list_is_read_page_by_page),
        TEST(a_list_that_breaks_off_proves_nothing),
        TEST(a_charge_that_is_absent_once_stays_open),
        TEST(a_charge_that_is_absent_twice_ten_minutes_apart_has_failed),
        TEST(a_charge_whose_intent_is_known_is_read_by_its_id),
        TEST(a_charge_keeps_the_credentials_it_was_first_sent_with),
        TEST(a_key_that_is_refused_later_leaves_the_charge_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
