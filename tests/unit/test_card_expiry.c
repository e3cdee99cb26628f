// Cards that expire: their merchant is notified from the first day of the last month, once for each expiry.
// The clock begins in November 2023.
#include "op_setup.h"

#define UNTIL_DECEMBER_S INT64_C(1388800) // 2023-12-01T00:00:00Z
#define DAY_S (24 * 3600)

// Saved cards with this expiry; month 0: it is not known.
static void add_cards(struct fixture *f, int count, int year, int month)
{
    bool first = sql_number(f, "SELECT count(*) FROM customers") == 0;
    transaction_begin(f);
    assert_int_equal(first ? insert_customer(f, f->db, &f->err) : OK, OK);
    for (int i = 0; i < count; i++) {
        struct card card = saved_card(f);
        card.id = uuid_new(&random_system, START_US);
        card.brand = "visa";
        card.last4 = "4242";
        card.exp_year = year;
        card.exp_month = month;
        assert_int_equal(card_insert(f->db, &card, &f->err), OK);
    }
    transaction_end(f);
}

// The janitor comes every hour, so that weeks pass in no time.
static void begin_hourly(struct fixture *f)
{
    f->config.reconcile_interval_ms = 3600 * 1000;
    engine_begin(f);
}

static int64_t reported(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM outbox WHERE type = 'card.expiring'");
}

static void an_expiring_card_is_reported_once_from_the_first_day_of_its_last_month(void **state)
{
    struct fixture *f = *state;
    add_cards(f, 1, 2023, 12);
    begin_hourly(f);
    engine_run_s(f, UNTIL_DECEMBER_S - 10);
    assert_int_equal(reported(f), 0);
    engine_run_s(f, 2 * 3600);
    assert_int_equal(reported(f), 1);
    assert_true(f->events_written > 0); // so that it is delivered now
    assert_int_equal(sql_number(f, "SELECT body LIKE '%\"exp_month\":12,\"exp_year\":2023%' FROM outbox"), 1);
    assert_int_equal(sql_number(f, "SELECT transaction_id = (SELECT id FROM cards) FROM outbox"), 1);
    engine_crash(f);
    engine_begin(f);
    engine_run_s(f, DAY_S);
    assert_int_equal(reported(f), 1);
}

static void a_card_whose_month_was_over_before_is_reported_too(void **state)
{
    struct fixture *f = *state;
    add_cards(f, 1, 2022, 1);
    engine_begin(f);
    engine_run_s(f, 10);
    assert_int_equal(reported(f), 1);
}

static void cards_that_are_gone_or_have_no_expiry_are_not_reported(void **state)
{
    struct fixture *f = *state;
    add_cards(f, 1, 2023, 11);
    run_sql(f, "UPDATE cards SET status = 'gone'");
    add_cards(f, 1, 0, 0);
    add_cards(f, 1, 2024, 1);
    engine_begin(f);
    engine_run_s(f, 3600);
    assert_int_equal(reported(f), 0);
}

static void a_clock_that_is_set_back_reports_nothing_twice(void **state)
{
    struct fixture *f = *state;
    add_cards(f, 1, 2023, 12);
    begin_hourly(f);
    engine_run_s(f, UNTIL_DECEMBER_S + 2 * 3600);
    f->loop.wall_offset_us -= 20 * DAY_S * US_PER_S;
    engine_run_s(f, 30 * DAY_S);
    assert_int_equal(reported(f), 1);
}

static void a_renewed_card_is_reported_again_when_its_month_comes(void **state)
{
    struct fixture *f = *state;
    add_cards(f, 1, 2023, 11);
    begin_hourly(f);
    engine_run_s(f, 10);
    assert_int_equal(reported(f), 1);
    run_sql(f, "UPDATE cards SET exp_month = 12");
    engine_run_s(f, 2 * 3600);
    assert_int_equal(reported(f), 1);
    engine_run_s(f, UNTIL_DECEMBER_S + 2 * 3600);
    assert_int_equal(reported(f), 2);
}

static void a_damaged_card_does_not_stop_the_report_of_others(void **state)
{
    struct fixture *f = *state;
    add_cards(f, 1, 2023, 10);
    run_sql(f, "UPDATE cards SET merchant_id = x'01'");
    add_cards(f, 1, 2023, 11);
    engine_begin(f);
    engine_run_s(f, 10);
    assert_int_equal(reported(f), 1);
    assert_true(engine_ready(f->engine));
}

static void many_expiring_cards_are_reported_in_small_steps(void **state)
{
    struct fixture *f = *state;
    add_cards(f, 250, 2023, 11);
    engine_begin(f);
    assert_int_equal(reported(f), 100);
    engine_run_s(f, 20);
    assert_int_equal(reported(f), 250);
    assert_int_equal(sql_number(f, "SELECT count(DISTINCT transaction_id) FROM outbox"), 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_expiring_card_is_reported_once_from_the_first_day_of_its_last_month),
        TEST(a_card_whose_month_was_over_before_is_reported_too),
        TEST(cards_that_are_gone_or_have_no_expiry_are_not_reported),
        TEST(a_clock_that_is_set_back_reports_nothing_twice),
        TEST(a_renewed_card_is_reported_again_when_its_month_comes),
        TEST(a_damaged_card_does_not_stop_the_report_of_others),
        TEST(many_expiring_cards_are_reported_in_small_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
