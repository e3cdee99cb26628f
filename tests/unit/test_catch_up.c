// A start that may follow a restored backup: what it asks the provider, and how long an account is held.
#include "catch_up_fixture.h"

static void a_sure_start_asks_nothing(void **state)
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

static void a_payment_newer_than_the_proof_is_missing_all_the_same(void **state)
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
static void a_payment_listed_after_the_proof_on_its_page_is_missing_all_the_same(void **state)
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

static void once_something_is_missing_everything_is_read(void **state)
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

static void an_account_that_refuses_is_released_and_asked_with_its_next_key(void **state)
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
    struct tx tx = tx_for(f, "api", NULL);
    transaction_begin(f);
    assert_int_equal(catch_up_resume(&tx, &account, loop_wall_us(&f->loop.base), &f->err), OK);
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

static enum errc schedule_for(struct fixture *f, const struct uuid *payment_id)
{
    struct tx tx = tx_for(f, "event", NULL);
    transaction_begin(f);
    enum errc rc = catch_up_schedule(&tx, &f->merchant_id, false, payment_id, &f->err);
    transaction_end(f);
    return rc;
}

static void an_event_for_an_unknown_payment_lists_its_account_from_before_it_was_made(void **state)
{
    struct fixture *f = *state;
    bought(f);
    struct uuid lost = lost_id(f);
    start_again(f, START_SURE);
    assert_int_equal(schedule_for(f, &lost), OK);
    assert_true(held(f));
    struct provider_payment payments[] = {made(f, &lost, "pi_2")};
    will_list(f, payments, 1, NULL);
    will_list_no_refunds(f);
    engine_run_s(f, 6);
    assert_true(f->provider.calls[1].created_from_s < uuid_ms(&lost) / 1000);
    assert_false(held(f));
    assert_int_equal(payment_row(f, &lost).status, PAYMENT_COMPLETED);
}

static void an_event_while_the_account_is_listed_has_it_listed_again(void **state)
{
    struct fixture *f = *state;
    bought(f);
    f->provider.holds = true;
    start_again(f, START_UNSURE);
    struct uuid lost = lost_id(f);
    assert_int_equal(schedule_for(f, &lost), OK);
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
    assert_int_equal(schedule_for(f, &lost[1]), OK);
    will_list(f, payments, 2, NULL);
    will_list_no_refunds(f);
    engine_run_s(f, 6);
    assert_int_equal(payment_row(f, &lost[1]).status, PAYMENT_COMPLETED);
    assert_false(held(f));
}

static void an_accepted_database_is_no_longer_held(void **state)
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
    assert_int_equal(schedule_for(f, &lost), OK); // it was made before
    assert_false(held(f));
    struct uuid newer = lost_id(f);
    assert_int_equal(schedule_for(f, &newer), OK);
    assert_true(held(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sure_start_asks_nothing),
        TEST(a_payment_that_was_settled_before_proves_that_none_older_is_missing),
        TEST(a_payment_newer_than_the_proof_is_missing_all_the_same),
        TEST(a_payment_listed_after_the_proof_on_its_page_is_missing_all_the_same),
        TEST(once_something_is_missing_everything_is_read),
        TEST(pages_without_a_proof_are_read_to_the_end),
        TEST(a_crash_between_two_pages_takes_none_over_twice),
        TEST(an_account_that_refuses_is_released_and_asked_with_its_next_key),
        TEST(an_account_is_held_while_the_provider_does_not_answer),
        TEST(an_event_for_an_unknown_payment_lists_its_account_from_before_it_was_made),
        TEST(an_event_while_the_account_is_listed_has_it_listed_again),
        TEST(a_payment_that_was_made_after_its_page_was_read_is_taken_over_too),
        TEST(an_accepted_database_is_no_longer_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
