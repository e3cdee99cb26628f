// Events that Stripe does not push: fetched at intervals for merchants without a webhook secret, and fetched
// again while their payment is unknown.
#include "events_fixture.h"

// --- at intervals

static void without_a_webhook_secret_it_is_asked_every_interval(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    for (int i = 1; i <= 20; i++) {
        event_at(now_s(f) + 1);
        engine_run_s(f, 61);
        assert_int_equal(applied(f), i);
    }
    assert_in_range(f->provider.events_asked, 18, 21);
    give_webhook_secret(f);
    engine_run_s(f, HOUR_S);
    assert_in_range(f->provider.events_asked, 18, 22);
    assert_int_equal(asking(f), 0);
}

static void an_event_that_appears_late_is_applied(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    engine_run_s(f, 600);
    event_at(now_s(f) + 1)->shows_s = now_s(f) + 290;
    event_at(now_s(f) + 2);
    engine_run_s(f, 120);
    assert_int_equal(applied(f), 1);
    engine_run_s(f, 300);
    assert_int_equal(applied(f), 2);
}

// The fetch takes long. Its end is fetched again, from the time that was certain when it began.
static void an_event_that_appears_after_its_page_was_read_is_applied(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    int64_t asked_s = now_s(f) + 60;
    run_sql(f, "UPDATE event_feeds SET since_s = since_s - 300, at_s = at_s - 300");
    event_at(asked_s - 297)->shows_s = asked_s + 2;
    for (int i = 0; i < 3900; i++) {
        event_at(asked_s - 280 + i / 14);
    }
    engine_run_s(f, 200);
    assert_int_equal(applied(f), 3901);
    assert_int_equal(written(f), 3901);
}

static void a_clock_that_is_an_hour_ahead_of_the_providers_hides_nothing(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    engine_run_s(f, 600);
    provider_behind_s = HOUR_S;
    run_sql(f, "UPDATE event_feeds SET since_s = since_s - 3600, at_s = at_s - 3600");
    for (int i = 0; i < 300; i++) {
        event_at(provider_now_s(f) + i * 2);
    }
    for (int i = 0; i < 700; i += 50) {
        engine_run_s(f, 50);
    }
    assert_int_equal(applied(f), 300);
    assert_int_equal(written(f), 300);
}

static void a_busy_merchants_events_come_within_the_interval(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    engine_run_s(f, 60);
    for (int i = 0; i < 900; i++) {
        event_at(now_s(f) + i);
    }
    for (int minute = 1; minute <= 14; minute++) {
        engine_run_s(f, 60);
        assert_in_range(applied(f) + 70, 60 * minute, 60 * minute + 71);
    }
    engine_run_s(f, 120);
    assert_all_applied_once_in_order(f);
    assert_in_range(f->provider.events_asked, 30, 400);
}

static void merchants_without_a_payment_for_a_week_are_asked_hourly(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    engine_run_s(f, 12 * HOUR_S + 1800);
    assert_in_range(f->provider.events_asked, 11, 13);
    size_t asked = f->provider.events_asked;
    buy_paid(f);
    engine_run_s(f, 600);
    assert_in_range(f->provider.events_asked - asked, 9, 11);
}

static void deleted_credentials_are_not_asked_with(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    run_sql(f, "UPDATE credentials SET is_active = 0");
    engine_run_s(f, HOUR_S);
    assert_int_equal(f->provider.events_asked, 0);
    assert_int_equal(asking(f), 0);
    engine_crash(f);
    engine_begin(f);
    engine_run_s(f, HOUR_S);
    assert_int_equal(f->provider.events_asked, 0);
}

static void a_key_that_may_not_read_events_is_asked_with_later_and_later(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    refusal = answer_no_auth();
    static const struct {
        int64_t until_s;
        size_t asked_min, asked_max;
    } pace[] = {{70, 1, 1}, {600, 4, 4}, {HOUR_S, 6, 6}, {12 * HOUR_S, 16, 18}};
    int64_t passed_s = 0;
    for (size_t i = 0; i < COUNT_OF(pace); i++) {
        engine_run_s(f, pace[i].until_s - passed_s);
        passed_s = pace[i].until_s;
        assert_in_range(f->provider.events_asked, pace[i].asked_min, pace[i].asked_max);
    }
    buy_paid(f); // does not make it due sooner
    size_t asked = f->provider.events_asked;
    engine_run_s(f, 120);
    assert_int_equal(f->provider.events_asked, asked);
    event_at(now_s(f) - 3 * HOUR_S);
    refusal.outcome = PROVIDER_DONE;
    put_credentials(f); // with another key
    engine_run_s(f, 61);
    assert_int_equal(applied(f), 1);
}

static void an_unreachable_provider_is_asked_at_the_interval(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    refusal = answer_unknown();
    event_at(now_s(f) + 100);
    engine_run_s(f, 3000);
    assert_in_range(f->provider.events_asked, 45, 51);
    refusal.outcome = PROVIDER_DONE;
    engine_run_s(f, 61);
    assert_int_equal(applied(f), 1);
}

static void an_event_of_the_other_mode_changes_nothing(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    buy_paid(f);
    run_sql(f, "UPDATE payments SET livemode = 1"); // the other credentials' business
    event_at(now_s(f) + 1)->livemode = true;
    engine_run_s(f, 61);
    assert_int_equal(f->provider.events_asked, 1);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM inbox"), 0);
}

// --- what is not known yet

// It names the intent alone, which is not known here while the charge's outcome is not.
static void a_dispute_is_fetched_until_it_is_known_whose_payment_it_is_about(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    struct buyer *buyer = buy(f); // of unknown outcome
    event_at(now_s(f) + 40);
    engine_run_s(f, 1200);
    assert_int_equal(applied(f), 0);
    struct provider_payment reported = listed(f, &buyer->payment.id, "pi_1", PROVIDER_PAYMENT_SUCCEEDED);
    f->provider.otherwise = answer_list(&reported, 1, NULL);
    engine_run_s(f, 1200);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
    assert_all_applied_once_in_order(f);
    assert_true(sql_number(f, "SELECT since_s FROM event_feeds") > provider_events[0].made_s);
}

static void a_dispute_is_fetched_until_then_although_events_come_by_themselves(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    engine_begin(f);
    struct buyer *buyer = buy(f); // of unknown outcome
    engine_run_s(f, 300);
    engine_crash(f);
    event_at(now_s(f) - 10);
    engine_begin(f);
    engine_run_s(f, 900);
    assert_int_equal(applied(f), 0);
    assert_int_equal(asking(f), 1);
    struct provider_payment reported = listed(f, &buyer->payment.id, "pi_1", PROVIDER_PAYMENT_SUCCEEDED);
    f->provider.otherwise = answer_list(&reported, 1, NULL);
    engine_run_s(f, 1200);
    assert_all_applied_once_in_order(f);
    assert_int_equal(asking(f), 0);
}

static void a_dispute_on_the_first_page_of_a_second_is_fetched_until_then_too(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    struct buyer *buyer = buy(f); // of unknown outcome
    int64_t at_s = now_s(f) + 40;
    for (int i = 0; i < 150; i++) {
        event_at(at_s)->livemode = i < 149; // of other credentials but for the newest
    }
    struct provider_payment reported = listed(f, &buyer->payment.id, "pi_1", PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 1200);
    assert_int_equal(applied(f), 0);
    f->provider.otherwise = answer_list(&reported, 1, NULL);
    engine_run_s(f, 1200);
    assert_int_equal(applied(f), 1);
}

static void a_dispute_of_a_foreign_payment_delays_nothing_for_longer_than_a_day(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    put_credentials(f);
    fake_provider_will(&f->provider, answer_unknown());
    f->provider.otherwise = answer_no_auth(); // it is asked at growing intervals
    buy(f);
    event_at(now_s(f) + 40);
    engine_run_s(f, 12 * HOUR_S);
    fake_provider_will(&f->provider, answer_unknown());
    buy(f); // which it cannot be about
    engine_run_s(f, 11 * HOUR_S);
    assert_true(sql_number(f, "SELECT since_s FROM event_feeds") <= provider_events[0].made_s);
    engine_run_s(f, 2 * HOUR_S);
    assert_string_equal(open_operations(f, &f->buyers[0]->payment.id), "charge");
    assert_true(sql_number(f, "SELECT since_s FROM event_feeds") > provider_events[0].made_s);
}

// --- this machine's clock alone

static void credentials_that_were_put_by_a_clock_ahead_are_asked_with_from_when_it_is_right(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    set_clock_ahead_s(f, 24 * HOUR_S);
    engine_run_s(f, 10);
    put_credentials(f);
    buy_paid(f);
    set_clock_ahead_s(f, -24 * HOUR_S);
    event_at(provider_now_s(f) + 90);
    engine_run_s(f, 200);
    assert_all_applied_once_in_order(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVENTS_TEST(without_a_webhook_secret_it_is_asked_every_interval),
        EVENTS_TEST(an_event_that_appears_late_is_applied),
        EVENTS_TEST(an_event_that_appears_after_its_page_was_read_is_applied),
        EVENTS_TEST(a_clock_that_is_an_hour_ahead_of_the_providers_hides_nothing),
        EVENTS_TEST(a_busy_merchants_events_come_within_the_interval),
        EVENTS_TEST(merchants_without_a_payment_for_a_week_are_asked_hourly),
        EVENTS_TEST(deleted_credentials_are_not_asked_with),
        EVENTS_TEST(a_key_that_may_not_read_events_is_asked_with_later_and_later),
        EVENTS_TEST(an_unreachable_provider_is_asked_at_the_interval),
        EVENTS_TEST(an_event_of_the_other_mode_changes_nothing),
        EVENTS_TEST(a_dispute_is_fetched_until_it_is_known_whose_payment_it_is_about),
        EVENTS_TEST(a_dispute_is_fetched_until_then_although_events_come_by_themselves),
        EVENTS_TEST(a_dispute_on_the_first_page_of_a_second_is_fetched_until_then_too),
        EVENTS_TEST(a_dispute_of_a_foreign_payment_delays_nothing_for_longer_than_a_day),
        EVENTS_TEST(credentials_that_were_put_by_a_clock_ahead_are_asked_with_from_when_it_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
