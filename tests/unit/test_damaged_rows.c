// Damaged rows and unreadable pages: they delay only what needs them.
#include "prepared_fixture.h"

#include <sqlite3.h>

#include "base/text.h"

static void a_charge_that_cannot_be_planned_does_not_delay_others(void **state)
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

static void damaged_rows_are_set_aside_and_never_delay_others(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    struct buyer *row = buy(f);
    run_sql(f, "UPDATE operations SET attempts = -1");
    struct buyer *payment = buy(f);
    run_sql(f, "UPDATE payments SET status = 'lost' WHERE id = (SELECT max(id) FROM payments)");
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

static void a_page_that_cannot_be_read_delays_only_what_needs_it(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_charge_that_cannot_be_planned_does_not_delay_others),
        TEST(damaged_rows_are_set_aside_and_never_delay_others),
        ONLY_SQLITE("a page of its file", TEST(a_page_that_cannot_be_read_delays_only_what_needs_it)),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
