// A payment that saves its card: its customer is made before the charge that names them, and no outcome of
// that request makes a charge look as if it had been sent.
#include "prepared_fixture.h"

#include "store/idempotency.h"

#define WINDOW_S 600
#define LEASE_S 110

static const struct fake_call *last_call(const struct fixture *f)
{
    return &f->provider.calls[f->provider.call_count - 1];
}

static void answer_held(struct fixture *f, struct provider_answer answer)
{
    fake_provider_answer(&f->provider, answer);
    fake_loop_run_for(&f->loop, 0);
}

static void assert_charge_names(struct fixture *f, const char *customer_ref)
{
    assert_int_equal(last_call(f)->verb, PROVIDER_CHARGE);
    const char *named = arena_printf(&f->arena, "&customer=%s&", customer_ref);
    assert_non_null(strstr(last_call(f)->body, named));
    assert_non_null(strstr(last_call(f)->body, "&setup_future_usage=off_session&"));
    assert_null(strstr(last_call(f)->body, "&off_session="));
}

static void a_customer_is_made_before_the_charge_that_names_him(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_provider_will(&f->provider, answer_paid_method("pm_1", "cus_1", "f1"));
    struct buyer *buyer = buy_and_save(f);
    assert_string_equal(answered_status(buyer), "completed");
    assert_int_equal(f->provider.calls[0].verb, PROVIDER_CUSTOMER);
    assert_int_equal(f->provider.calls[1].verb, PROVIDER_CHARGE);
    assert_int_equal(f->provider.calls[2].verb, PROVIDER_PAID_METHOD);
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM cards WHERE status = 'active'"), 1);
}

static void a_known_customer_is_named_at_once(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    fake_provider_will(&f->provider, answer_declined());
    buy_and_save(f);
    f->provider.holds = true;
    run_sql(f, "UPDATE payments SET provider_ref = NULL");
    struct buyer *second = buy_and_save(f);
    assert_charge_names(f, "cus_1");
    answer_held(f, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    assert_string_equal(answered_status(second), "completed");
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_CUSTOMER), 1);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM customers"), 1);
}

static void two_payments_side_by_side_ask_for_the_same_customer(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    buy_and_save(f);
    buy_and_save(f);
    const struct fake_call *calls = f->provider.calls;
    assert_int_equal(f->provider.call_count, 2);
    assert_string_equal(calls[0].idempotency_key, calls[1].idempotency_key);
    assert_string_equal(calls[0].body, calls[1].body);
    answer_held(f, answer_customer("cus_1"));
    answer_held(f, answer_unknown()); // its key is in use
    engine_run_s(f, 5);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_CUSTOMER), 2);
    assert_int_equal(charges(f), 2);
    assert_charge_names(f, "cus_1");
}

static void a_charge_that_was_not_sent_is_not_taken_for_one_that_may_have_been(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    struct buyer *buyer = buy_and_save(f);
    answer_held(f, answer_unknown());
    run_sql(f, "UPDATE operations SET absent_us = 1");         // as a lookup that did not find them leaves it
    run_sql(f, "UPDATE customers SET provider_ref = 'cus_1'"); // another operation made him
    engine_run_s(f, 5);
    assert_charge_names(f, "cus_1");
    assert_int_equal(sql_number(f, "SELECT unresolved + look_up + absent_us FROM operations"), 0);
    answer_held(f, answer_no_auth());
    assert_string_equal(answered_status(buyer), "failed");
}

static void a_charge_that_may_have_been_sent_is_the_same_charge_after_a_start(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    buy_and_save(f);
    answer_held(f, answer_customer("cus_1"));
    const struct fake_call *first = last_call(f);
    assert_int_equal(first->verb, PROVIDER_CHARGE);
    run_sql(f, "UPDATE customers SET gone_us = 1, provider_ref = 'cus_2'");
    engine_crash(f);
    engine_begin(f);
    assert_int_equal(charges(f), 2);
    assert_string_equal(last_call(f)->body, first->body);
    assert_string_equal(last_call(f)->idempotency_key, first->idempotency_key);
    assert_int_equal(sql_number(f, "SELECT max(unresolved) FROM operations"), 1);
}

static void a_customer_who_is_refused_fails_the_payment(void **state)
{
    struct fixture *f = *state;
    const struct provider_answer refusals[] = {answer_not_found(), answer_no_auth()};
    engine_begin(f);
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        fake_provider_will(&f->provider, refusals[i]);
        struct buyer *buyer = buy_and_save(f);
        assert_string_equal(answered_status(buyer), "failed");
        assert_string_equal(payment_row(f, &buyer->payment.id).failure.code, refusals[i].failure.code);
        assert_string_equal(open_operations(f, &buyer->payment.id), "");
    }
    assert_int_equal(charges(f), 0);
}

static void a_payment_whose_customer_is_not_made_within_the_window_fails_uncharged(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *buyer = buy_and_save(f); // no answer comes
    engine_run_s(f, WINDOW_S - 100);
    assert_string_equal(answered_status(buyer), "pending");
    assert_string_equal(open_operations(f, &buyer->payment.id), "charge");
    engine_run_s(f, 200);
    assert_string_equal(payment_row(f, &buyer->payment.id).failure.code, "provider_unavailable");
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.failed");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
    assert_int_equal(charges(f), 0);
}

static void a_customer_who_is_made_after_the_window_is_not_charged(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    struct buyer *buyer = buy_and_save(f);
    run_sql(f, "UPDATE operations SET created_us = created_us - 600000000");
    answer_held(f, answer_customer("cus_1"));
    assert_string_equal(payment_row(f, &buyer->payment.id).failure.code, "provider_unavailable");
    assert_int_equal(charges(f), 0);
}

static void a_customer_who_is_gone_before_the_charge_is_replaced(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    struct buyer *buyer = buy_and_save(f);
    run_sql(f, "UPDATE customers SET gone_us = 1");
    answer_held(f, answer_customer("cus_1"));
    assert_int_equal(last_call(f)->verb, PROVIDER_CUSTOMER);
    assert_string_not_equal(last_call(f)->idempotency_key, f->provider.calls[0].idempotency_key);
    answer_held(f, answer_customer("cus_2"));
    assert_charge_names(f, "cus_2");
    assert_int_equal(sql_number(f, "SELECT customers.provider_ref = 'cus_2' FROM customers JOIN payments"
                                   " ON payments.customer_id = customers.id"),
                     1);
    answer_held(f, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    assert_string_equal(answered_status(buyer), "completed");
}

static void an_answer_about_the_previous_customer_is_not_used_for_the_next(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    engine_begin(f);
    buy_and_save(f);
    run_sql(f, "UPDATE customers SET gone_us = 1");
    engine_run_s(f, LEASE_S); // the call outlives its lease: another customer is chosen
    assert_int_equal(sql_number(f, "SELECT count(*) FROM customers"), 2);
    answer_held(f, answer_customer("cus_1"));
    assert_int_equal(last_call(f)->verb, PROVIDER_CUSTOMER);
    answer_held(f, answer_customer("cus_2"));
    assert_charge_names(f, "cus_2");
}

static void a_customer_of_unknown_outcome_is_looked_up_and_then_made_again(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_look_up());
    fake_provider_will(&f->provider,
                       answer_list(NULL, 0, NULL)); // the newest customers: he is not among them
    fake_provider_will(&f->provider, answer_customer("cus_2"));
    buy_and_save(f);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_CUSTOMER_LIST), 1);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_CUSTOMER), 2);
    assert_int_equal(charges(f), 1);
}

static void a_charge_refused_because_its_customer_is_gone_drops_the_customer(void **state)
{
    struct fixture *f = *state;
    struct provider_answer missing = answer_not_found();
    missing.customer_missing = true;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    fake_provider_will(&f->provider, missing);
    struct buyer *buyer = buy_and_save(f);
    assert_string_equal(answered_status(buyer), "failed");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM customers WHERE gone_us <> 0"), 1);
    fake_provider_will(&f->provider, answer_customer("cus_2"));
    buy_and_save(f);
    assert_charge_names(f, "cus_2");
}

static void the_charge_carries_the_hash_of_its_request(void **state)
{
    struct fixture *f = *state;
    const struct idempotency_key key = {
        .merchant_id = f->merchant_id,
        .kind = "payment",
        .key = "order-123",
        .request_hash = {0xab, 0xcd},
    };
    transaction_begin(f);
    assert_int_equal(idempotency_insert(f->db, &key, &f->err), OK);
    transaction_end(f);
    engine_begin(f);
    fake_provider_will(&f->provider, answer_customer("cus_1"));
    buy_and_save(f);
    assert_int_equal(last_call(f)->verb, PROVIDER_CHARGE);
    assert_non_null(strstr(last_call(f)->body, "metadata[paymentsd_key]=order-123&"));
    assert_non_null(strstr(last_call(f)->body, "metadata[paymentsd_hash]=abcd0000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_customer_is_made_before_the_charge_that_names_him),
        TEST(a_known_customer_is_named_at_once),
        TEST(two_payments_side_by_side_ask_for_the_same_customer),
        TEST(a_charge_that_was_not_sent_is_not_taken_for_one_that_may_have_been),
        TEST(a_charge_that_may_have_been_sent_is_the_same_charge_after_a_start),
        TEST(a_customer_who_is_refused_fails_the_payment),
        TEST(a_payment_whose_customer_is_not_made_within_the_window_fails_uncharged),
        TEST(a_customer_who_is_made_after_the_window_is_not_charged),
        TEST(a_customer_who_is_gone_before_the_charge_is_replaced),
        TEST(an_answer_about_the_previous_customer_is_not_used_for_the_next),
        TEST(a_customer_of_unknown_outcome_is_looked_up_and_then_made_again),
        TEST(a_charge_refused_because_its_customer_is_gone_drops_the_customer),
        TEST(the_charge_carries_the_hash_of_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
