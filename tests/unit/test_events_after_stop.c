// Events that arrived during a stop: fetched after the start, each applied once, oldest first, however many
// there are and whenever the process dies.
#include "events_fixture.h"

#include "store/event_feeds.h"

static void events_during_a_stop_are_applied_after_the_start(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    struct buyer *buyer = buy_and_stop(f, 5 * HOUR_S);
    event_at(now_s(f) - 4 * HOUR_S);
    event_at(now_s(f) - 10);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_all_applied_once_in_order(f);
    assert_string_equal(events_of(f, &buyer->payment.id),
                        "payment.completed, payment.disputed, payment.disputed");
    assert_int_equal(f->provider.events_asked, 1);
    engine_run_s(f, HOUR_S);
    assert_int_equal(asking(f), 0); // from now on they come by themselves
    assert_int_equal(f->provider.events_asked, 1);
}

static void events_before_the_stop_are_not_asked_for_again(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, HOUR_S);
    event_at(now_s(f) - HOUR_S - 400); // longer before than a note of life and a late event can be
    engine_begin(f);
    engine_run_s(f, 5);
    assert_int_equal(f->provider.events_asked, 1);
    assert_int_equal(applied(f), 0);
}

static void an_event_that_came_by_itself_too_is_applied_once(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, HOUR_S);
    struct made_event *made = event_at(now_s(f) - 10);
    struct inbound inbound = {.merchant_id = f->merchant_id, .event = as_event(made)};
    struct tx tx = tx_for(f, "event", made->id);
    transaction_begin(f);
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    transaction_end(f);
    engine_begin(f);
    engine_run_s(f, 5);
    assert_int_equal(f->provider.events_asked, 1);
    assert_all_applied_once_in_order(f);
}

static void more_than_a_page_is_applied_oldest_first(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, 20 * 24 * HOUR_S);
    for (int i = 0; i < 250; i++) {
        event_at(now_s(f) - 9 * 24 * HOUR_S + i * 7);
    }
    for (int i = 0; i < 150; i++) {
        event_at(now_s(f) - 200 + i);
    }
    engine_begin(f);
    engine_run_s(f, 60);
    assert_all_applied_once_in_order(f);
    assert_in_range(f->provider.events_asked, 5, 80);
    assert_int_equal(asking(f), 0);
}

// No span of time is short enough for these: they are read page by page.
static void more_than_a_page_of_one_second_is_applied(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, HOUR_S);
    for (int i = 0; i < 330; i++) {
        event_at(now_s(f) - 1800);
    }
    event_at(now_s(f) - 1700);
    engine_begin(f);
    engine_run_s(f, 60);
    assert_int_equal(applied(f), 331);
    assert_int_equal(written(f), 331);
    assert_int_equal(asking(f), 0);
}

static void a_backlog_is_worked_off_a_page_at_a_time(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, 24 * HOUR_S);
    for (int i = 0; i < 900; i++) {
        event_at(now_s(f) - 80000 + i * 60);
    }
    engine_begin(f);
    int64_t before = 0;
    for (int i = 0; i < 30; i++) {
        size_t asked = f->provider.events_asked;
        engine_run_s(f, 1);
        assert_in_range(f->provider.events_asked - asked, 0, 10);
        assert_in_range(applied(f) - before, 0, 10 * 100);
        before = applied(f);
    }
    assert_all_applied_once_in_order(f);
}

static void a_crash_at_any_page_loses_none_and_applies_none_twice(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, 24 * HOUR_S);
    for (int i = 0; i < 500; i++) {
        event_at(now_s(f) - 80000 + i * 60);
    }
    for (int i = 0; i < 40; i++) {
        engine_begin(f);
        fake_loop_run_for(&f->loop, 450 * US_PER_MS);
        engine_crash(f);
    }
    engine_begin(f);
    engine_run_s(f, 60);
    assert_all_applied_once_in_order(f);
}

// A hundred others, each with credentials.
static void add_shops(struct fixture *f)
{
    run_sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
               " INSERT INTO merchants (id, name, role, is_active, webhook_stopped, created_us, updated_us)"
               " SELECT randomblob(16), 'other', 'merchant', 1, 0, 0, 0 FROM n");
    run_sql(f, "INSERT INTO credentials SELECT randomblob(16), id, 'stripe', 0, 1,"
               " (SELECT version_id FROM credentials), NULL, 0, 0 FROM merchants WHERE name = 'other'");
}

static void credentials_that_were_never_used_are_not_asked_with_at_the_start(void **state)
{
    struct fixture *f = *state;
    add_shops(f);
    buy_and_stop(f, HOUR_S);
    engine_begin(f);
    assert_int_equal(asking(f), 1);
    engine_run_s(f, 1);
    assert_int_equal(f->provider.events_asked, 1);
}

// And each of them has a card.
static void add_used_shops(struct fixture *f)
{
    add_shops(f);
    run_sql(
        f,
        "INSERT INTO customers (id, merchant_id, livemode, body, credential_version_id, gone_us, created_us)"
        " SELECT x'00', merchant_id, 0, '', version_id, 0, 0 FROM credentials LIMIT 1");
    run_sql(f, "INSERT INTO cards (id, merchant_id, customer_id, livemode, status, provider, method_sent,"
               " exp_month, exp_year, is_default, credential_version_id, created_us, updated_us)"
               " SELECT randomblob(16), merchant_id, x'00', 0, 'active', 'stripe', 'pm', 1, 2030, 0,"
               " version_id, 0, 0 FROM credentials WHERE created_us = 0");
}

static void the_start_asks_for_few_merchants_at_once(void **state)
{
    struct fixture *f = *state;
    buy_and_stop(f, HOUR_S);
    add_used_shops(f);
    engine_begin(f);
    assert_int_equal(asking(f), 101);
    engine_run_s(f, 3);
    assert_in_range(f->provider.events_asked, 20, 31);
    engine_run_s(f, 30);
    assert_in_range(f->provider.events_asked, 101, 110);
}

static int64_t last_asked_us(struct fixture *f)
{
    return sql_number(f, "SELECT max(next_attempt_us) FROM operations WHERE kind = 'events'");
}

// Otherwise a node that ends and starts again and again would hold up the others' asking.
static void the_next_start_puts_nobody_off(void **state)
{
    struct fixture *f = *state;
    buy_and_stop(f, HOUR_S);
    add_used_shops(f);
    engine_begin(f);
    const int64_t first_us = last_asked_us(f);
    assert_int_equal(first_us, loop_wall_us(&f->loop.base) + 101 * 100 * US_PER_MS);
    transaction_begin(f);
    assert_int_equal(event_feeds_ask(f->db, "events", loop_wall_us(&f->loop.base) + 3 * US_PER_S,
                                     100 * US_PER_MS, &f->err),
                     OK);
    transaction_end(f);
    assert_int_equal(last_asked_us(f), first_us);
}

static void a_stop_while_the_clock_was_ahead_hides_nothing(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    engine_begin(f);
    buy_paid(f);
    set_clock_ahead_s(f, 24 * HOUR_S);
    engine_run_s(f, 300);
    engine_crash(f);
    set_clock_ahead_s(f, -24 * HOUR_S);
    f->loop.mono_us += 5 * HOUR_S * US_PER_S;
    event_at(provider_now_s(f) - 4 * HOUR_S);
    engine_begin(f);
    engine_run_s(f, 5);
    assert_all_applied_once_in_order(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVENTS_TEST(events_during_a_stop_are_applied_after_the_start),
        EVENTS_TEST(events_before_the_stop_are_not_asked_for_again),
        EVENTS_TEST(an_event_that_came_by_itself_too_is_applied_once),
        EVENTS_TEST(more_than_a_page_is_applied_oldest_first),
        EVENTS_TEST(more_than_a_page_of_one_second_is_applied),
        EVENTS_TEST(a_backlog_is_worked_off_a_page_at_a_time),
        EVENTS_TEST(a_crash_at_any_page_loses_none_and_applies_none_twice),
        EVENTS_TEST(credentials_that_were_never_used_are_not_asked_with_at_the_start),
        EVENTS_TEST(the_start_asks_for_few_merchants_at_once),
        EVENTS_TEST(the_next_start_puts_nobody_off),
        EVENTS_TEST(a_stop_while_the_clock_was_ahead_hides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
