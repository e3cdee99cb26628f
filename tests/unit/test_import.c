// What a start takes over from the provider: payments and refunds that a restored backup lacks.
#include "catch_up_fixture.h"

#include "op/kinds/import.h"

static void only_payments_of_this_service_and_merchant_are_named(void **state)
{
    struct fixture *f = *state;
    struct credential account = {.merchant_id = f->merchant_id};
    struct uuid id = lost_id(f);
    struct uuid named;
    const struct provider_payment right = made(f, &id, "pi_1");
    assert_true(import_find_id(&right, &account, &named));
    assert_true(uuid_equal(&named, &id));
    struct provider_payment wrong = right;
    wrong.merchant_id = OTHER_MERCHANT;
    assert_false(import_find_id(&wrong, &account, &named));
    wrong.merchant_id = NULL;
    assert_false(import_find_id(&wrong, &account, &named));
    wrong = right;
    wrong.payment_id = NULL;
    assert_false(import_find_id(&wrong, &account, &named));
    wrong.payment_id = "018f0000-0000-4000-8000-000000000001"; // of another version, so it contains no time
    assert_false(import_find_id(&wrong, &account, &named));
    wrong = right;
    wrong.created_s += INT64_C(3) * 24 * 3600;
    assert_false(import_find_id(&wrong, &account, &named));
}

static void unusable_payments_are_left_out_and_the_rest_taken_over(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct uuid ids[] = {lost_id(f), lost_id(f), lost_id(f), lost_id(f)};
    struct provider_payment payments[] = {made(f, &ids[0], "pi_1"), made(f, &ids[1], "pi_2"),
                                          made(f, &ids[2], "pi_3"), made(f, &ids[3], "pi_4")};
    payments[0].origin.mark.key = NULL;
    payments[1].currency = "xxx";
    payments[2].amount_provider_minor = 0;
    will_list(f, payments, 4, NULL);
    will_list_no_refunds(f);
    start_again(f, START_UNSURE);
    assert_false(held(f));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments"), 1);
    assert_int_equal(payment_row(f, &ids[3]).status, PAYMENT_COMPLETED);
}

static void a_payment_that_failed_here_alone_is_completed(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_no_auth());
    struct uuid id = buy(f)->payment.id;
    assert_int_equal(payment_row(f, &id).status, PAYMENT_FAILED);
    struct provider_payment payments[] = {made(f, &id, "pi_1")};
    will_list(f, payments, 1, NULL);
    will_list_no_refunds(f);
    start_again(f, START_UNSURE);
    assert_int_equal(payment_row(f, &id).status, PAYMENT_COMPLETED);
    assert_string_equal(events_of(f, &id), "payment.failed, payment.completed");
    assert_false(held(f));
}

static void an_intent_of_another_account_does_not_complete_a_payment(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_no_auth());
    struct uuid id = buy(f)->payment.id;
    run_sql(f, "UPDATE payments SET livemode = 1");
    struct provider_payment payments[] = {made(f, &id, "pi_1")};
    will_list(f, payments, 1, NULL);
    will_list_no_refunds(f);
    start_again(f, START_UNSURE);
    assert_int_equal(payment_row(f, &id).status, PAYMENT_FAILED);
}

static void will_list_refund(struct fixture *f, struct provider_refund *refund)
{
    fake_provider_will(&f->provider,
                       (struct provider_answer){
                           .outcome = PROVIDER_DONE, .status = 200, .refunds = refund, .refund_count = 1});
}

// A refund of 10.00, under its caller's key.
static struct provider_refund refund_made(struct fixture *f, const struct uuid *id,
                                          const struct uuid *payment_id)
{
    char text[2][UUID_TEXT_BYTES];
    uuid_format(id, text[0]);
    uuid_format(payment_id, text[1]);
    return (struct provider_refund){
        .id = "re_1",
        .status = REFUND_COMPLETED,
        .amount_provider_minor = 1000,
        .currency = "usd",
        .payment_ref = "pi_1",
        .refund_id = arena_strdup(&f->arena, text[0]),
        .payment_id = arena_strdup(&f->arena, text[1]),
        .mark = {.key = "refund", .hash = {1, 2, 3}},
    };
}

static void assert_refund_is_here(struct fixture *f)
{
    assert_int_equal(sql_number(f, "SELECT amount_minor FROM refunds WHERE status = 'completed'"), 1000);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM idempotency_keys WHERE kind = 'refund'"), 1);
}

static void an_account_is_held_until_the_payment_of_a_missing_refund_is_known_to_be_made(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_PROCESSING));
    struct uuid id = buy(f)->payment.id;
    struct uuid lost = lost_id(f);
    run_sql(f, "UPDATE operations SET next_attempt_us = next_attempt_us + 86400000000");
    struct provider_payment payments[] = {made(f, &id, "pi_1")};
    struct provider_refund refund = refund_made(f, &lost, &id);
    will_list(f, payments, 1, NULL);
    will_list_refund(f, &refund);
    fake_provider_will(&f->provider, answer_unknown()); // the list of the payment's own refunds
    start_again(f, START_UNSURE);
    assert_true(held(f));
    will_list_refund(f, &refund);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    will_list_refund(f, &refund);
    engine_run_s(f, 3);
    assert_int_equal(payment_row(f, &id).status, PAYMENT_COMPLETED);
    assert_refund_is_here(f);
    assert_false(held(f));
}

static void a_refund_from_the_dashboard_is_taken_over_with_its_forgotten_payment(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct uuid lost = lost_id(f);
    struct provider_payment payments[] = {made(f, &lost, "pi_1")};
    struct provider_refund refund = refund_made(f, &lost, &lost);
    refund.refund_id = NULL;
    refund.payment_id = NULL;
    refund.mark.key = NULL;
    will_list(f, payments, 1, NULL);
    will_list_refund(f, &refund);
    start_again(f, START_UNSURE);
    assert_string_equal(events_of(f, &lost), "payment.completed, payment.refunded");
    assert_int_equal(payment_row(f, &lost).refunded_minor, 1000);
    assert_false(held(f));
}

static void an_account_is_held_until_the_charge_of_a_missing_refund_is_known(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_unknown());
    struct uuid id = buy(f)->payment.id;
    struct uuid lost = lost_id(f);
    f->start = START_UNSURE;
    engine_crash(f);
    run_sql(f, "UPDATE operations SET next_attempt_us = next_attempt_us + 1000000000");
    struct provider_refund refund = refund_made(f, &lost, &id);
    will_list(f, NULL, 0, NULL);
    will_list_refund(f, &refund);
    engine_begin(f);
    assert_true(held(f));
    run_sql(f, "UPDATE operations SET next_attempt_us = 1 WHERE kind = 'charge'");
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    will_list_refund(f, &refund);
    engine_run_s(f, 6);
    assert_int_equal(payment_row(f, &id).status, PAYMENT_COMPLETED);
    assert_refund_is_here(f);
    assert_false(held(f));
}

static void an_account_is_not_held_forever_by_a_refund_of_a_payment_that_was_never_made(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    fake_provider_will(&f->provider, answer_no_auth());
    struct uuid id = buy(f)->payment.id;
    struct uuid lost = lost_id(f);
    struct provider_refund refund = refund_made(f, &lost, &id);
    will_list(f, NULL, 0, NULL);
    f->provider.otherwise = (struct provider_answer){
        .outcome = PROVIDER_DONE, .status = 200, .refunds = &refund, .refund_count = 1};
    start_again(f, START_UNSURE);
    engine_run_s(f, 3000);
    assert_true(held(f));
    engine_run_s(f, 700);
    assert_false(held(f));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM refunds"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_payments_of_this_service_and_merchant_are_named),
        TEST(unusable_payments_are_left_out_and_the_rest_taken_over),
        TEST(a_payment_that_failed_here_alone_is_completed),
        TEST(an_intent_of_another_account_does_not_complete_a_payment),
        TEST(an_account_is_held_until_the_payment_of_a_missing_refund_is_known_to_be_made),
        TEST(a_refund_from_the_dashboard_is_taken_over_with_its_forgotten_payment),
        TEST(an_account_is_held_until_the_charge_of_a_missing_refund_is_known),
        TEST(an_account_is_not_held_forever_by_a_refund_of_a_payment_that_was_never_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
