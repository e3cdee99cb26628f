// What a start asks for that may have a restored backup before it, and what it takes over.
#include "engine_fixture.h"

#include "op/kinds/catch_up.h"
#include "op/kinds/take_over.h"
#include "store/meta.h"

#define OTHER_MERCHANT "018f0000-0000-7000-8000-000000000009"

// A process that ends, and one that starts like this an hour later.
static void start_again(struct fixture *f, enum engine_start start)
{
    engine_run_s(f, 120); // so that it has noted when it ran
    f->start = start;
    engine_crash(f);
    engine_run_s(f, 3600);
    engine_begin(f);
}

static bool held(struct fixture *f)
{
    transaction_begin(f);
    enum errc rc = catch_up_check(&(struct tx){.db = f->db}, &f->merchant_id, CATCH_UP_TEST, &f->err);
    transaction_end(f);
    assert_true(rc == OK || rc == ERR_CATCHING_UP);
    return rc == ERR_CATCHING_UP;
}

static struct uuid lost_id(struct fixture *f)
{
    return uuid_new(&random_system, loop_wall_us(&f->loop.base));
}

// The intent of a payment of this service's, in a list of all.
static struct provider_payment made(struct fixture *f, const struct uuid *payment_id, const char *payment_ref)
{
    char merchant[UUID_TEXT_BYTES];
    uuid_format(&f->merchant_id, merchant);
    struct provider_payment reported = listed(f, payment_id, payment_ref, PROVIDER_PAYMENT_SUCCEEDED);
    reported.merchant_id = arena_strdup(&f->arena, merchant);
    reported.created_s = uuid_ms(payment_id) / 1000 + 1;
    reported.origin = (struct intent_origin){
        .mark = {.key = arena_printf(&f->arena, "key of %s", payment_ref), .hash = {1, 2, 3}},
        .payment_method = "pm_1",
    };
    return reported;
}

static void will_list(struct fixture *f, struct provider_payment *payments, size_t count,
                      const char *next_page)
{
    fake_provider_will(&f->provider, answer_list(payments, count, next_page));
}

static void will_list_no_refunds(struct fixture *f)
{
    fake_provider_will(&f->provider, (struct provider_answer){.outcome = PROVIDER_DONE, .status = 200});
}

static size_t pages_asked(struct fixture *f)
{
    return fake_provider_count(&f->provider, PROVIDER_PAYMENTS_SINCE);
}

static struct uuid bought(struct fixture *f)
{
    engine_begin(f);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    return buy(f)->payment.id;
}

static void a_start_that_is_sure_asks_nothing(void **state)
{
    struct fixture *f = *state;
    bought(f);
    start_again(f, START_SURE);
    assert_int_equal(pages_asked(f), 0);
    assert_false(held(f));
}

static void a_payment_that_was_settled_before_proves_that_none_older_is_missing(void **state)
{
    struct fixture *f = *state;
    struct uuid id = bought(f);
    struct provider_payment payments[] = {made(f, &id, "pi_1")};
    will_list(f, payments, 1, "pi_1");
    will_list_no_refunds(f);
    start_again(f, START_UNSURE);
    assert_int_equal(pages_asked(f), 1);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_REFUNDS_SINCE), 1);
    assert_false(held(f));
}

static void what_is_newer_than_the_proof_is_missing_even_so(void **state)
{
    struct fixture *f = *state;
    struct uuid id = bought(f);
    struct uuid lost = lost_id(f);
    struct provider_payment payments[] = {made(f, &lost, "pi_2"), made(f, &id, "pi_1")};
    will_list(f, payments, 2, NULL);
    will_list_no_refunds(f);
    start_again(f, START_UNSURE);
    assert_string_equal(history_of(f, &lost), "taken over pending recovery, completed completed recovery");
    assert_string_equal(events_of(f, &lost), "payment.completed");
    assert_false(held(f));
}

// Those of one second are listed in any order.
static void what_is_listed_after_the_proof_on_its_page_is_missing_even_so(void **state)
{
    struct fixture *f = *state;
    struct uuid id = bought(f);
    struct uuid lost = lost_id(f);
    struct provider_payment payments[] = {made(f, &id, "pi_1"), made(f, &lost, "pi_2")};
    will_list(f, payments, 2, NULL);
    will_list_no_refunds(f);
    start_again(f, START_UNSURE);
    assert_string_equal(events_of(f, &lost), "payment.completed");
    assert_false(held(f));
}

static void once_something_is_missing_all_is_read(void **state)
{
    struct fixture *f = *state;
    struct uuid id = bought(f);
    struct uuid lost[] = {lost_id(f), lost_id(f)};
    struct provider_payment first[] = {made(f, &lost[1], "pi_3"), made(f, &id, "pi_1")};
    struct provider_payment second[] = {made(f, &lost[0], "pi_2")};
    will_list(f, first, 2, "pi_1");
    will_list(f, second, 1, NULL);
    will_list_no_refunds(f);
    start_again(f, START_UNSURE);
    engine_run_s(f, 1);
    assert_int_equal(payment_row(f, &lost[0]).status, PAYMENT_COMPLETED);
    assert_int_equal(payment_row(f, &lost[1]).status, PAYMENT_COMPLETED);
    assert_false(held(f));
}

static void pages_without_a_proof_are_read_to_the_end(void **state)
{
    struct fixture *f = *state;
    struct uuid id = bought(f);
    struct provider_payment others[] = {made(f, &id, "pi_9")};
    others[0].merchant_id = OTHER_MERCHANT;
    will_list(f, others, 1, "pi_9");
    will_list(f, others, 1, NULL);
    will_list_no_refunds(f);
    start_again(f, START_UNSURE);
    assert_true(held(f));
    engine_run_s(f, 1);
    assert_int_equal(pages_asked(f), 2);
    assert_false(held(f));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments"), 1);
}

static void a_crash_between_two_pages_takes_none_over_twice(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct uuid ids[] = {lost_id(f), lost_id(f)};
    struct provider_payment pages[] = {made(f, &ids[1], "pi_2"), made(f, &ids[0], "pi_1")};
    will_list(f, &pages[0], 1, "pi_2");
    start_again(f, START_UNSURE);
    assert_true(held(f));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments"), 1);
    will_list(f, &pages[0], 1, "pi_2");
    will_list(f, &pages[1], 1, NULL);
    will_list_no_refunds(f);
    engine_crash(f);
    engine_begin(f);
    assert_true(held(f)); // what was taken over proves nothing
    engine_run_s(f, 1);
    assert_false(held(f));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments WHERE status = 'completed'"), 2);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM idempotency_keys"), 2);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM catch_ups"), 0);
}

static void only_what_this_service_made_for_this_merchant_is_named(void **state)
{
    struct fixture *f = *state;
    struct credential account = {.merchant_id = f->merchant_id};
    struct uuid id = lost_id(f);
    struct uuid named;
    const struct provider_payment right = made(f, &id, "pi_1");
    assert_true(take_over_names(&right, &account, &named));
    assert_true(uuid_equal(&named, &id));
    struct provider_payment wrong = right;
    wrong.merchant_id = OTHER_MERCHANT;
    assert_false(take_over_names(&wrong, &account, &named));
    wrong.merchant_id = NULL;
    assert_false(take_over_names(&wrong, &account, &named));
    wrong = right;
    wrong.payment_id = NULL;
    assert_false(take_over_names(&wrong, &account, &named));
    wrong.payment_id = "018f0000-0000-4000-8000-000000000001"; // of another version, so it says no time
    assert_false(take_over_names(&wrong, &account, &named));
    wrong = right;
    wrong.created_s += INT64_C(3) * 24 * 3600;
    assert_false(take_over_names(&wrong, &account, &named));
}

static void what_makes_no_payment_is_left_out_and_the_rest_taken_over(void **state)
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

static void an_account_that_refuses_is_let_go_and_asked_with_its_next_key(void **state)
{
    struct fixture *f = *state;
    bought(f);
    struct uuid lost = lost_id(f);
    fake_provider_will(&f->provider, answer_no_auth());
    start_again(f, START_UNSURE);
    assert_false(held(f));
    struct provider_answer paid = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    paid.payment.id = "pi_3";
    fake_provider_will(&f->provider, paid);
    struct uuid later = buy(f)->payment.id; // which proves nothing
    struct provider_payment payments[] = {made(f, &later, "pi_3"), made(f, &lost, "pi_2")};
    will_list(f, payments, 2, NULL);
    will_list_no_refunds(f);
    struct credential account = {.id = f->credential_id};
    transaction_begin(f);
    assert_int_equal(catch_up_ask(&(struct tx){.db = f->db}, &account, loop_wall_us(&f->loop.base), &f->err),
                     OK);
    transaction_end(f);
    assert_true(held(f));
    engine_run_s(f, 6);
    assert_false(held(f));
    assert_int_equal(payment_row(f, &lost).status, PAYMENT_COMPLETED);
}

static void an_account_is_held_while_the_provider_does_not_answer(void **state)
{
    struct fixture *f = *state;
    struct uuid id = bought(f);
    fake_provider_will(&f->provider, answer_unknown());
    start_again(f, START_UNSURE);
    assert_true(held(f));
    struct provider_payment payments[] = {made(f, &id, "pi_1")};
    will_list(f, payments, 1, NULL);
    will_list_no_refunds(f);
    engine_run_s(f, 6);
    assert_false(held(f));
}

static enum errc owe(struct fixture *f, const struct uuid *payment_id)
{
    struct tx tx = {.db = f->db,
                    .keyring = &f->keyring,
                    .random = &random_system,
                    .arena = &f->arena,
                    .now_us = loop_wall_us(&f->loop.base),
                    .cause = "event"};
    transaction_begin(f);
    enum errc rc = catch_up_schedule(&tx, &f->merchant_id, false, payment_id, &f->err);
    transaction_end(f);
    return rc;
}

static void an_unknown_payment_of_an_event_has_its_account_asked_from_before_it_was_made(void **state)
{
    struct fixture *f = *state;
    bought(f);
    struct uuid lost = lost_id(f);
    start_again(f, START_SURE);
    assert_int_equal(owe(f, &lost), OK);
    assert_true(held(f));
    struct provider_payment payments[] = {made(f, &lost, "pi_2")};
    will_list(f, payments, 1, NULL);
    will_list_no_refunds(f);
    engine_run_s(f, 6);
    assert_true(f->provider.calls[1].created_from_s < uuid_ms(&lost) / 1000);
    assert_false(held(f));
    assert_int_equal(payment_row(f, &lost).status, PAYMENT_COMPLETED);
}

static void an_event_while_the_account_is_asked_has_it_asked_again(void **state)
{
    struct fixture *f = *state;
    bought(f);
    f->provider.holds = true;
    start_again(f, START_UNSURE);
    struct uuid lost = lost_id(f);
    assert_int_equal(owe(f, &lost), OK);
    fake_provider_answer(&f->provider, answer_unknown());
    f->provider.holds = false;
    struct provider_payment payments[] = {made(f, &lost, "pi_2")};
    will_list(f, payments, 1, NULL);
    will_list_no_refunds(f);
    engine_run_s(f, 6);
    assert_int_equal(payment_row(f, &lost).status, PAYMENT_COMPLETED);
    assert_false(held(f));
}

static void a_payment_that_was_made_after_its_page_was_read_is_taken_over_too(void **state)
{
    struct fixture *f = *state;
    bought(f);
    struct uuid lost[] = {lost_id(f), lost_id(f)};
    struct provider_payment payments[] = {made(f, &lost[1], "pi_3"), made(f, &lost[0], "pi_2")};
    will_list(f, &payments[1], 1, NULL);
    fake_provider_will(&f->provider, answer_unknown()); // the refunds
    start_again(f, START_UNSURE);
    assert_int_equal(owe(f, &lost[1]), OK);
    will_list(f, payments, 2, NULL);
    will_list_no_refunds(f);
    engine_run_s(f, 6);
    assert_int_equal(payment_row(f, &lost[1]).status, PAYMENT_COMPLETED);
    assert_false(held(f));
}

static void a_database_that_was_accepted_is_held_no_more(void **state)
{
    struct fixture *f = *state;
    bought(f);
    struct uuid lost = lost_id(f);
    fake_provider_will(&f->provider, answer_unknown());
    start_again(f, START_UNSURE);
    assert_true(held(f));
    start_again(f, START_ACCEPTED);
    assert_false(held(f));
    assert_int_equal(sql_number(f, "SELECT count(*) FROM audit_log WHERE event_type = 'database.accepted'"),
                     1);
    assert_int_equal(owe(f, &lost), OK); // it was made before
    assert_false(held(f));
    struct uuid newer = lost_id(f);
    assert_int_equal(owe(f, &newer), OK);
    assert_true(held(f));
}

static void will_list_refund(struct fixture *f, struct provider_refund *refund)
{
    fake_provider_will(&f->provider,
                       (struct provider_answer){
                           .outcome = PROVIDER_DONE, .status = 200, .refunds = refund, .refund_count = 1});
}

// Of 10.00 of a payment, under its caller's key.
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

static void an_account_is_not_held_for_ever_by_a_refund_of_what_was_never_made(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_that_is_sure_asks_nothing),
        TEST(a_payment_that_was_settled_before_proves_that_none_older_is_missing),
        TEST(what_is_newer_than_the_proof_is_missing_even_so),
        TEST(what_is_listed_after_the_proof_on_its_page_is_missing_even_so),
        TEST(once_something_is_missing_all_is_read),
        TEST(pages_without_a_proof_are_read_to_the_end),
        TEST(a_crash_between_two_pages_takes_none_over_twice),
        TEST(only_what_this_service_made_for_this_merchant_is_named),
        TEST(what_makes_no_payment_is_left_out_and_the_rest_taken_over),
        TEST(an_account_that_refuses_is_let_go_and_asked_with_its_next_key),
        TEST(an_account_is_held_while_the_provider_does_not_answer),
        TEST(an_unknown_payment_of_an_event_has_its_account_asked_from_before_it_was_made),
        TEST(an_event_while_the_account_is_asked_has_it_asked_again),
        TEST(a_payment_that_was_made_after_its_page_was_read_is_taken_over_too),
        TEST(a_database_that_was_accepted_is_held_no_more),
        TEST(a_payment_that_failed_here_alone_is_completed),
        TEST(an_intent_of_another_account_does_not_complete_a_payment),
        TEST(an_account_is_held_until_the_payment_of_a_missing_refund_is_known_to_be_made),
        TEST(a_refund_from_the_dashboard_is_taken_over_with_its_forgotten_payment),
        TEST(an_account_is_held_until_the_charge_of_a_missing_refund_is_known),
        TEST(an_account_is_not_held_for_ever_by_a_refund_of_what_was_never_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
