// A charge whose outcome is not known: sent again only within the charge window, then looked for; the same
// credentials to its end; crashes, refusals of the database, leases and clocks that jump.
#include "prepared_fixture.h"

#include <sqlite3.h>

#include "base/text.h"

#define WINDOW_US (600 * US_PER_S)

static int64_t age_of_call_us(const struct fixture *f, size_t i)
{
    return f->provider.calls[i].wall_us - START_US;
}

static size_t charges(const struct fixture *f)
{
    return fake_provider_count(&f->provider, PROVIDER_CHARGE);
}

static size_t lists(const struct fixture *f)
{
    return fake_provider_count(&f->provider, PROVIDER_LIST);
}

// Lets time pass until the next call of this verb, at most so long.
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

static void a_charge_is_sent_again_until_its_window_ends_and_then_only_looked_for(void **state)
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

static void a_list_is_asked_for_over_all_the_time_that_the_charge_can_be_of(void **state)
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

static void what_must_be_looked_up_is_never_sent_again(void **state)
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
    fake_provider_will(&f->provider, answer_not_found()); // says nothing of the charge
    next_call(f, PROVIDER_RETRIEVE, 10);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 3600); // what is answered, but does not help, is asked at growing distances
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
    assert_in_range(f->provider.call_count, 10, 60); // at growing distances
}

static void a_charge_that_cannot_be_planned_does_not_stand_in_the_way_of_others(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *stuck = buy(f);
    run_sql(f, "UPDATE credential_versions SET secret_key = x'00'"); // damaged
    put_credentials(f, 2, "sk_test_second");
    f->version_id.bytes[15] = 2;
    struct buyer *other = buy(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 60);
    assert_string_equal(open_operations(f, &stuck->payment.id), "charge");
    assert_string_equal(answered_status(stuck), "pending");
    assert_string_equal(answered_status(other), "completed");
}

static void damaged_rows_are_set_aside_and_never_stand_in_the_way_of_others(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *row = buy(f);
    run_sql(f, "UPDATE operations SET attempts = -1");
    struct buyer *payment = buy(f);
    run_sql(f, "UPDATE payments SET status = 'lost' WHERE rowid = (SELECT max(rowid) FROM payments)");
    struct buyer *whole = buy(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 60);
    assert_string_equal(answered_status(whole), "completed");
    assert_string_equal(open_operations(f, &row->payment.id), "charge");
    assert_string_equal(open_operations(f, &payment->payment.id), "charge");
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_in_range(stats.set_aside_total, 4, 12);

    run_sql(f, "UPDATE operations SET attempts = 1 WHERE attempts = -1");
    run_sql(f, "UPDATE payments SET status = 'pending' WHERE status = 'lost'");
    f->provider.otherwise = answer_list(NULL, 0, NULL); // neither was made: both end
    engine_run_s(f, 2 * 3600);
    assert_string_equal(open_operations(f, &row->payment.id), "");
    assert_string_equal(open_operations(f, &payment->payment.id), "");
}

// The id in hexadecimal of a row whose page of the file cannot be read; "": none.
static char unreadable[2 * sizeof(struct uuid) + 1];

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
int __real_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement);

int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
    char *sql = unreadable[0] != '\0' ? sqlite3_expanded_sql(statement) : NULL;
    bool meets = sql != NULL && strstr(sql, "FROM payments") != NULL && strstr(sql, unreadable) != NULL;
    sqlite3_free(sql);
    return meets ? SQLITE_CORRUPT : __real_sqlite3_step(statement);
}
// NOLINTEND(bugprone-reserved-identifier)

static void a_page_that_cannot_be_read_holds_up_only_what_needs_it(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *stuck = buy(f);
    text_hex(stuck->payment.id.bytes, sizeof(stuck->payment.id.bytes), unreadable);
    struct buyer *whole = buy(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_run_s(f, 60);
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_string_equal(answered_status(whole), "completed");
    assert_in_range(stats.set_aside_total, 2, 6);
    unreadable[0] = '\0';
    assert_string_equal(open_operations(f, &stuck->payment.id), "charge");
}

// --- crashes

static void a_crash_while_the_provider_is_called_sends_the_same_again(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_crash(f);
    f->provider.holds = false;
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_int_equal(f->provider.call_count, 2);
    assert_int_equal(f->provider.calls[1].verb, PROVIDER_CHARGE);
    assert_string_equal(f->provider.calls[1].idempotency_key, f->provider.calls[0].idempotency_key);
    assert_string_equal(f->provider.calls[1].body, f->provider.calls[0].body);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
    assert_string_equal(history_of(f, &buyer->payment.id),
                        "created pending api, completed completed recovery");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM replies"), 1); // for the client's repeat
}

static void a_crash_before_the_provider_is_called_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct buyer *buyer = buyer_new(f);
    assert_int_equal(buyer_prepare(buyer), OK);
    engine_crash(f);
    f->provider.otherwise = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    engine_begin(f);
    engine_run_s(f, 1);
    assert_int_equal(f->provider.call_count, 1);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
}

static void a_crash_that_lasts_beyond_the_window_only_looks(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_crash(f);
    f->provider.holds = false;
    engine_run_s(f, 600);
    f->provider.otherwise = answer_list(NULL, 0, NULL);
    engine_begin(f);
    engine_run_s(f, 1200);
    assert_int_equal(charges(f), 1);
    assert_int_equal(lists(f), 2);
    assert_string_equal(payment_row(f, &buyer->payment.id).failure.code, "provider_unavailable");
}

// It may have been carried out, so a key that is refused now says nothing of it.
static void a_lost_attempt_is_not_failed_by_a_refused_key(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    struct buyer *buyer = buy(f);
    engine_crash(f);
    f->provider.holds = false;
    f->provider.otherwise = answer_no_auth();
    engine_begin(f);
    engine_run_s(f, 60);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_PENDING);
}

static void an_engine_is_ready_once_what_was_open_is_scheduled(void **state)
{
    struct fixture *f = *state;
    f->provider.holds = true;
    buy(f);
    engine_crash(f);
    assert_false(engine_ready(f->engine));
    engine_begin(f);
    assert_true(engine_ready(f->engine));
    assert_int_equal(f->became_ready, 1);
    assert_int_equal(f->provider.call_count, 2);
    engine_run_s(f, 60);
    assert_int_equal(f->became_ready, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_charge_is_sent_again_until_its_window_ends_and_then_only_looked_for),
        TEST(a_list_is_asked_for_over_all_the_time_that_the_charge_can_be_of),
        TEST(a_shorter_window_is_kept),
        TEST(what_must_be_looked_up_is_never_sent_again),
        TEST(a_charge_that_is_found_in_a_list_is_taken),
        TEST(a_list_is_read_page_by_page),
        TEST(a_list_that_breaks_off_proves_nothing),
        TEST(a_charge_that_is_absent_once_stays_open),
        TEST(a_charge_that_is_absent_twice_ten_minutes_apart_has_failed),
        TEST(a_charge_whose_intent_is_known_is_read_by_its_id),
        TEST(a_charge_keeps_the_credentials_it_was_first_sent_with),
        TEST(a_key_that_is_refused_later_leaves_the_charge_open),
        TEST(a_charge_that_cannot_be_planned_does_not_stand_in_the_way_of_others),
        TEST(damaged_rows_are_set_aside_and_never_stand_in_the_way_of_others),
        TEST(a_page_that_cannot_be_read_holds_up_only_what_needs_it),
        TEST(a_crash_while_the_provider_is_called_sends_the_same_again),
        TEST(a_crash_before_the_provider_is_called_loses_nothing),
        TEST(a_crash_that_lasts_beyond_the_window_only_looks),
        TEST(a_lost_attempt_is_not_failed_by_a_refused_key),
        TEST(an_engine_is_ready_once_what_was_open_is_scheduled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
