// Listings: which rows a request finds, and in what order.
#include "listing_fixture.h"

#include "store/sqlite/sqlite.h"

static void assert_found(const struct found *found, const struct uuid *ids, size_t count)
{
    assert_int_equal(found->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(&found->ids[i], &ids[i], sizeof(ids[i]));
    }
}

static void rows_come_newest_first_over_both_modes(void **state)
{
    struct fixture *f = *state;
    struct uuid newest_first[20];
    for (size_t i = 0; i < 20; i++) {
        newest_first[19 - i] = insert_at(f, NOW_US + (int64_t)i * US_PER_S, i % 3 == 0);
    }
    struct listing_query query = query_of(f);
    struct found found = list(f, &query, 50);
    assert_found(&found, newest_first, 20);
    assert_int_equal(count(f, &query, 50), 20);
}

static void one_mode_leaves_the_other_out(void **state)
{
    struct fixture *f = *state;
    struct uuid live = insert_at(f, NOW_US, true);
    struct uuid test = insert_at(f, NOW_US, false);
    struct listing_query query = query_of(f);
    query.live = false;
    struct found found = list(f, &query, 50);
    assert_found(&found, &test, 1);
    assert_int_equal(count(f, &query, 50), 1);
    query.live = true;
    query.test = false;
    found = list(f, &query, 50);
    assert_found(&found, &live, 1);
    assert_int_equal(count(f, &query, 50), 1);
}

static void rows_of_other_merchants_are_not_listed(void **state)
{
    struct fixture *f = *state;
    insert_at(f, NOW_US, false);
    f->merchant_id.bytes[15] = 2;
    struct listing_query query = query_of(f);
    assert_int_equal(list(f, &query, 50).count, 0);
    assert_int_equal(count(f, &query, 50), 0);
}

static void pages_put_together_are_the_whole_list_though_rows_are_added_between_them(void **state)
{
    struct fixture *f = *state;
    for (int64_t i = 0; i < 23; i++) {
        insert_at(f, NOW_US + i * US_PER_S, i % 2 == 0);
    }
    struct listing_query query = query_of(f);
    const struct found whole = list(f, &query, 100);
    struct found pages = {0};
    for (int page = 0; page < 6; page++) {
        struct found found = list(f, &query, 5);
        memcpy(&pages.ids[pages.count], found.ids, found.count * sizeof(found.ids[0]));
        pages.count += found.count;
        if (found.count > 0) {
            listing_below(&query, &pages.ids[pages.count - 1]);
        }
        insert_at(f, NOW_US + 3600 * US_PER_S, page % 2 == 0);
    }
    assert_found(&pages, whole.ids, 23);
}

static void the_row_at_an_offset_is_found_and_none_after_the_last(void **state)
{
    struct fixture *f = *state;
    for (int64_t i = 0; i < 7; i++) {
        insert_at(f, NOW_US + i * US_PER_S, i % 2 == 0);
    }
    struct listing_query query = query_of(f);
    struct found whole = list(f, &query, 100);
    bool has = false;
    for (int64_t i = 1; i <= 7; i++) {
        struct uuid id;
        assert_int_equal(listing_nth(f->db, &query, i, &id, &has, &f->err), OK);
        assert_true(has);
        assert_memory_equal(&id, &whole.ids[i - 1], sizeof(id));
    }
    struct uuid none;
    assert_int_equal(listing_nth(f->db, &query, 8, &none, &has, &f->err), OK);
    assert_false(has);
    assert_int_equal(listing_nth(f->db, &query, INT64_MAX, &none, &has, &f->err), OK);
    assert_false(has);
}

static void a_count_ends_at_its_bound(void **state)
{
    struct fixture *f = *state;
    insert_many(f, 30);
    struct listing_query query = query_of(f);
    assert_int_equal(count(f, &query, 31), 30);
    assert_int_equal(count(f, &query, 30), 30);
    assert_int_equal(count(f, &query, 29), 29);
}

// Ids contain milliseconds, times are microseconds.
static void a_range_of_time_is_exact_to_the_microsecond(void **state)
{
    struct fixture *f = *state;
    const int64_t times_us[] = {NOW_US - 1,    NOW_US,        NOW_US + 1,    NOW_US + 999,
                                NOW_US + 1000, NOW_US + 1001, NOW_US + 2000, NOW_US + 1000000};
    for (size_t i = 0; i < COUNT_OF(times_us); i++) {
        insert_at(f, times_us[i], i % 2 == 0);
    }
    for (int64_t since_us = NOW_US - 2; since_us < NOW_US + 2003; since_us++) {
        int64_t until_us = NOW_US + 2003 - (since_us - NOW_US) / 2;
        int64_t expected = 0;
        for (size_t i = 0; i < COUNT_OF(times_us); i++) {
            expected += times_us[i] >= since_us && times_us[i] < until_us;
        }
        struct listing_query query = query_of(f);
        listing_since(&query, since_us, &f->arena);
        listing_until(&query, until_us, &f->arena);
        assert_int_equal(count(f, &query, 50), expected);
    }
}

static void a_cursor_within_a_time_range_keeps_both_bounds(void **state)
{
    struct fixture *f = *state;
    struct uuid ids[6];
    for (size_t i = 0; i < 6; i++) {
        ids[5 - i] = insert_at(f, NOW_US + (int64_t)i * US_PER_S, false);
    }
    struct listing_query query = query_of(f);
    listing_below(&query, &ids[2]);
    listing_until(&query, NOW_US + 5 * US_PER_S, &f->arena);
    listing_since(&query, NOW_US + 1 * US_PER_S, &f->arena);
    struct found found = list(f, &query, 50);
    assert_found(&found, &ids[3], 2);
    listing_until(&query, NOW_US + 2 * US_PER_S, &f->arena);
    found = list(f, &query, 50);
    assert_found(&found, &ids[4], 1);
}

static void conditions_hold_together_and_each_in_both_modes(void **state)
{
    struct fixture *f = *state;
    static const char *const currencies[] = {"USD", "JPY", "KWD"};
    struct uuid fitting[2];
    size_t fitting_count = 0;
    for (size_t i = 0; i < 36; i++) {
        struct payment payment = payment_of(f, NOW_US - (int64_t)i * US_PER_S);
        payment.currency = currency_find(currencies[i % 3]);
        payment.livemode = i % 2 == 0;
        payment.status = i / 6 % 2 == 0 ? PAYMENT_FAILED : PAYMENT_COMPLETED;
        payment.provider_ref = i < 12 ? arena_printf(&f->arena, "pi_%zu", i) : NULL;
        insert(f, &payment);
        if (i % 3 == 1 && i / 6 % 2 == 0 && i < 12) {
            fitting[fitting_count++] = payment.id;
        }
    }
    struct listing_query query = query_of(f);
    listing_where(&query, "status = :value", DB_STR("failed"));
    listing_where_plain(&query, "provider_ref IS NOT NULL");
    listing_where(&query, "currency = :value", DB_STR("JPY"));
    struct found found = list(f, &query, 50);
    assert_found(&found, fitting, fitting_count);
    assert_int_equal(count(f, &query, 50), 2);
}

static void amounts_of_all_currencies_are_on_one_scale(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *currency;
        int64_t amount_minor;
    } tens[] = {{"USD", 1000}, {"JPY", 10}, {"KWD", 10000}, {"ISK", 10}, {"MGA", 10}};
    for (size_t i = 0; i < COUNT_OF(tens); i++) {
        struct payment payment = payment_of(f, NOW_US);
        payment.currency = currency_find(tens[i].currency);
        payment.amount_minor = tens[i].amount_minor;
        insert(f, &payment);
    }
    struct listing_query query = query_of(f);
    listing_where(&query, "amount_thousandths = :value", DB_I64(10000));
    assert_int_equal(count(f, &query, 50), COUNT_OF(tens));
}

static int prepared_statements(struct fixture *f)
{
    int number = 0;
    for (sqlite3_stmt *stmt = NULL; (stmt = sqlite3_next_stmt(sqlite_of(f->db)->handle, stmt)) != NULL;) {
        number++;
    }
    return number;
}

static void the_statements_of_the_shapes_asked_last_are_kept_and_no_more(void **state)
{
    struct fixture *f = *state;
    insert_at(f, NOW_US, false);
    const int before = prepared_statements(f);
    for (int i = 0; i < 3000; i++) {
        struct listing_query query = query_of(f);
        listing_where_plain(&query, arena_printf(&f->arena, "amount_minor <> %d", i));
        assert_int_equal(count(f, &query, 2), 1);
        assert_int_equal(prepared_statements(f) - before, i < 64 ? i + 1 : 64);
    }
    sqlite3_stmt *newest = sqlite3_next_stmt(sqlite_of(f->db)->handle, NULL);
    for (int i = 3000 - 64; i < 3000; i++) {
        struct listing_query query = query_of(f);
        listing_where_plain(&query, arena_printf(&f->arena, "amount_minor <> %d", i));
        assert_int_equal(count(f, &query, 2), 1);
        assert_ptr_equal(sqlite3_next_stmt(sqlite_of(f->db)->handle, NULL), newest); // none was prepared
    }
}

static void a_list_read_while_the_same_list_is_read_has_its_own_statement(void **state)
{
    struct fixture *f = *state;
    insert_many(f, 10);
    struct listing_query query = query_of(f);
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(listing_rows(f->db, &query, 10, &rows, &f->err), OK);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
        assert_true(has);
        assert_int_equal(list(f, &query, 10).count, 10);
    }
}

static void a_text_that_is_no_sql_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct listing_query query = query_of(f);
    listing_where_plain(&query, "no_such_column = 1");
    DB_ROWS(rows);
    assert_int_equal(listing_rows(f->db, &query, 1, &rows, &f->err), ERR_STORE);
    assert_null(rows.statement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_newest_first_over_both_modes),
        TEST(one_mode_leaves_the_other_out),
        TEST(rows_of_other_merchants_are_not_listed),
        TEST(pages_put_together_are_the_whole_list_though_rows_are_added_between_them),
        TEST(the_row_at_an_offset_is_found_and_none_after_the_last),
        TEST(a_count_ends_at_its_bound),
        TEST(a_range_of_time_is_exact_to_the_microsecond),
        TEST(a_cursor_within_a_time_range_keeps_both_bounds),
        TEST(conditions_hold_together_and_each_in_both_modes),
        TEST(amounts_of_all_currencies_are_on_one_scale),
        ONLY_SQLITE("the statements that SQLite keeps",
                    TEST(the_statements_of_the_shapes_asked_last_are_kept_and_no_more)),
        ONLY_SQLITE("the statements that SQLite keeps",
                    TEST(a_list_read_while_the_same_list_is_read_has_its_own_statement)),
        TEST(a_text_that_is_no_sql_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
