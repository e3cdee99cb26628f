// The SQLite driver as queries see it: values, rows, statements and errors. How it opens is in
// test_sqlite_open.c, and transactions in test_sqlite_transactions.c.
#include "sqlite_fixture.h"

static void values_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    const uint8_t bytes[] = {0, 1, 0, 255};
    assert_int_equal(
        db_run(f->db, NULL, &f->err,
               "INSERT INTO things (id, name, bytes, size) VALUES (1, $1, $2, $3), (2, $4, $5, $6),"
               " (3, $7, $8, $9)",
               DB_STR("née"), DB_BYTES(bytes, sizeof(bytes)), DB_I64(INT64_MAX), DB_STR(""), DB_BYTES("", 0),
               DB_I64(INT64_MIN), DB_STR(NULL), DB_BYTES(NULL, 0), DB_NIL),
        OK);
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    DB_ROWS(rows);
    bool has = false;
    size_t size = 99;
    assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT name, bytes, size FROM things ORDER BY id"), OK);

    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_string_equal(db_text(&rows, 0, &arena), "née");
    assert_memory_equal(db_blob(&rows, 1, &arena, &size), bytes, sizeof(bytes));
    assert_int_equal(size, sizeof(bytes));
    assert_true(db_i64(&rows, 2) == INT64_MAX);

    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_string_equal(db_text(&rows, 0, &arena), "");
    assert_false(db_is_null(&rows, 0));
    assert_non_null(db_blob(&rows, 1, &arena, &size));
    assert_int_equal(size, 0);
    assert_false(db_is_null(&rows, 1));
    assert_true(db_i64(&rows, 2) == INT64_MIN);

    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_null(db_text(&rows, 0, &arena));
    assert_null(db_blob(&rows, 1, &arena, &size));
    assert_int_equal(size, 0);
    assert_true(db_is_null(&rows, 2));
    assert_int_equal(db_i64(&rows, 2), 0);
    assert_false(db_bool(&rows, 2));

    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_false(has);
    assert_int_equal(db_next(&rows, &has, &f->err), OK); // still none
    assert_false(has);
}

static void an_id_comes_back_and_no_id_is_nil(void **state)
{
    struct fixture *f = *state;
    const struct uuid id = uuid_new(&random_system, 1700000000000000);
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO things (id, bytes) VALUES (1, $1), (2, $2)",
                            DB_ID(&id), DB_ID(NULL)),
                     OK);
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT bytes FROM things ORDER BY id"), OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    const struct uuid same = db_uuid(&rows, 0);
    assert_true(uuid_equal(&same, &id));
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    const struct uuid none = db_uuid(&rows, 0);
    assert_true(uuid_is_nil(&none));
}

static void values_outlive_their_row(void **state)
{
    struct fixture *f = *state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *first = NULL;
    run(f, "INSERT INTO things (id, name) VALUES (1, 'first'), (2, 'second')");
    {
        DB_ROWS(rows);
        bool has = false;
        assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT name FROM things ORDER BY id"), OK);
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
        first = db_text(&rows, 0, &arena);
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
        assert_string_equal(db_text(&rows, 0, &arena), "second");
    }
    assert_string_equal(first, "first");
}

static void without_an_arena_values_are_the_rows_own(void **state)
{
    struct fixture *f = *state;
    DB_ROWS(rows);
    bool has = false;
    size_t size = 0;
    run(f, "INSERT INTO things (id, name, bytes) VALUES (1, 'first', x'0102'), (2, NULL, NULL)");
    assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT name, bytes FROM things ORDER BY id"), OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_string_equal(db_text(&rows, 0, NULL), "first");
    assert_memory_equal(db_blob(&rows, 1, NULL, &size), "\x01\x02", 2);
    assert_int_equal(size, 2);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_null(db_text(&rows, 0, NULL));
    assert_null(db_blob(&rows, 1, NULL, &size));
}

static void a_parameter_may_appear_twice_and_in_any_order(void **state)
{
    struct fixture *f = *state;
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(
        db_query(f->db, &rows, &f->err, "SELECT $2 - $1, $1, $3 + $2", DB_I64(1), DB_I64(10), DB_I64(100)),
        OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_int_equal(db_i64(&rows, 0), 9);
    assert_int_equal(db_i64(&rows, 1), 1);
    assert_int_equal(db_i64(&rows, 2), 110);
}

static void a_statement_is_bound_again_each_time(void **state)
{
    struct fixture *f = *state;
    for (int64_t i = 0; i < 3; i++) {
        DB_ROWS(rows);
        bool has = false;
        assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT $1", i == 1 ? DB_NIL : DB_I64(i)), OK);
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
        assert_int_equal(db_is_null(&rows, 0), i == 1);
    }
}

// Were the statement still under way, SQLite would refuse to drop the table.
static void rows_left_in_the_middle_are_reset_at_the_end_of_their_scope(void **state)
{
    struct fixture *f = *state;
    run(f, "INSERT INTO things (id) VALUES (1), (2)");
    {
        DB_ROWS(rows);
        bool has = false;
        assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT id FROM things"), OK);
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
        assert_int_equal(db_run(f->db, NULL, &f->err, "DROP TABLE things"), ERR_STORE);
    }
    run(f, "DELETE FROM things");
    run(f, "DROP TABLE things");
}

static void rows_can_be_used_for_a_second_query(void **state)
{
    struct fixture *f = *state;
    DB_ROWS(rows);
    bool has = false;
    for (int64_t i = 1; i <= 2; i++) {
        assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT $1 UNION SELECT 7", DB_I64(i)), OK);
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
        assert_int_equal(db_i64(&rows, 0), i);
    }
}

static void one_text_may_be_under_way_twice(void **state)
{
    struct fixture *f = *state;
    run(f, "INSERT INTO things (id) VALUES (1), (2), (3)");
    const char *sql = "SELECT id FROM things WHERE id > $1 ORDER BY id";
    int64_t pairs = 0;
    DB_ROWS(outer);
    bool has = false;
    assert_int_equal(db_query(f->db, &outer, &f->err, sql, DB_I64(0)), OK);
    while (db_next(&outer, &has, &f->err) == OK && has) {
        DB_ROWS(inner);
        bool more = false;
        assert_int_equal(db_query(f->db, &inner, &f->err, sql, DB_I64(db_i64(&outer, 0))), OK);
        while (db_next(&inner, &more, &f->err) == OK && more) {
            pairs++;
        }
    }
    assert_int_equal(pairs, 3);
}

static void the_same_text_at_another_address_is_the_same_statement(void **state)
{
    struct fixture *f = *state;
    char texts[100][9];
    run(f, "SELECT 1");
    const size_t kept = sqlite_of(f->db)->statement_count;
    for (size_t i = 0; i < 100; i++) {
        strcpy(texts[i], "SELECT 1");
        run(f, texts[i]);
    }
    assert_int_equal(sqlite_of(f->db)->statement_count, kept);
}

static void a_repeated_unique_value_or_key_already_exists(void **state)
{
    struct fixture *f = *state;
    run(f, "INSERT INTO things (id, name) VALUES (1, 'a')");
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO things (name) VALUES ('a')"), ERR_EXISTS);
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO things (id) VALUES (1)"), ERR_EXISTS);
    assert_int_equal(f->err.code, ERR_EXISTS);
    run(f, "INSERT INTO things (id, name) VALUES (2, 'b')"); // the transaction goes on
    assert_int_equal(count_things(f->db), 2);
}

static void other_failures_are_store_errors(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO parts (thing) VALUES (NULL)"), ERR_STORE);
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO parts VALUES (1, 0)"), ERR_STORE);
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO things (size) VALUES ('x')"), ERR_STORE);
    assert_int_equal(db_run(f->db, NULL, &f->err, "SELECT nothing FROM nowhere"), ERR_STORE);
    assert_int_equal(db_run(f->db, NULL, &f->err, "SELECT \"no such column\""), ERR_STORE);
    assert_non_null(strstr(f->err.message, "no such column"));
}

static void changed_counts_the_rows_of_this_statement_only(void **state)
{
    struct fixture *f = *state;
    int64_t changed = -1;
    assert_int_equal(db_run(f->db, &changed, &f->err, "INSERT INTO things (id) VALUES (1), (2)"), OK);
    assert_int_equal(changed, 2);
    assert_int_equal(
        db_run(f->db, &changed, &f->err, "INSERT INTO things (id) VALUES (1) ON CONFLICT DO NOTHING"), OK);
    assert_int_equal(changed, 0);
    assert_int_equal(db_run(f->db, &changed, &f->err, "UPDATE things SET size = $1", DB_I64(3)), OK);
    assert_int_equal(changed, 2);
    assert_int_equal(db_run(f->db, &changed, &f->err, "SELECT id FROM things"), OK);
    assert_int_equal(changed, 0);
}

static void returned_rows_that_nobody_reads_are_written_all_the_same(void **state)
{
    struct fixture *f = *state;
    {
        DB_ROWS(rows);
        bool has = false;
        assert_int_equal(
            db_query(f->db, &rows, &f->err, "INSERT INTO things (id) VALUES (1), (2), (3) RETURNING id"), OK);
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
        assert_int_equal(db_i64(&rows, 0), 1);
    }
    assert_int_equal(count_things(f->db), 3);
}

#define ALL_SIZES "SELECT size FROM things ORDER BY id"

static void a_limited_statement_ends_after_its_steps(void **state)
{
    struct fixture *f = *state;
    for (int64_t id = 1; id <= 1000; id++) {
        insert(f, id);
    }
    for (int turn = 0; turn < 2; turn++) { // the steps of the turn before do not count
        DB_ROWS(rows);
        bool has = true;
        int64_t read = 0;
        assert_int_equal(db_query(f->db, &rows, &f->err, ALL_SIZES), OK);
        db_limit(&rows, 1000);
        while (has) {
            assert_int_equal(db_next(&rows, &has, &f->err), OK);
            read += has;
            assert_int_equal(count_things(f->db), 1000); // others are not limited
        }
        assert_true(rows.is_cut);
        assert_in_range(read, 100, 900);
        assert_int_equal(db_query(f->db, &rows, &f->err, ALL_SIZES), OK); // nor is its next use
        for (read = 0, has = true; has; read += has) {
            assert_int_equal(db_next(&rows, &has, &f->err), OK);
        }
        assert_false(rows.is_cut);
        assert_int_equal(read, 1000);
    }
}

static void a_limit_that_is_not_reached_changes_nothing(void **state)
{
    struct fixture *f = *state;
    insert(f, 1);
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(db_query(f->db, &rows, &f->err, ALL_SIZES), OK);
    db_limit(&rows, 1000);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_true(has);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_false(has);
    assert_false(rows.is_cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        THINGS_TEST(values_come_back_as_they_were),
        THINGS_TEST(an_id_comes_back_and_no_id_is_nil),
        THINGS_TEST(values_outlive_their_row),
        THINGS_TEST(without_an_arena_values_are_the_rows_own),
        THINGS_TEST(a_parameter_may_appear_twice_and_in_any_order),
        THINGS_TEST(a_statement_is_bound_again_each_time),
        THINGS_TEST(rows_left_in_the_middle_are_reset_at_the_end_of_their_scope),
        THINGS_TEST(rows_can_be_used_for_a_second_query),
        THINGS_TEST(one_text_may_be_under_way_twice),
        THINGS_TEST(the_same_text_at_another_address_is_the_same_statement),
        THINGS_TEST(a_repeated_unique_value_or_key_already_exists),
        THINGS_TEST(other_failures_are_store_errors),
        THINGS_TEST(changed_counts_the_rows_of_this_statement_only),
        THINGS_TEST(returned_rows_that_nobody_reads_are_written_all_the_same),
        THINGS_TEST(a_limited_statement_ends_after_its_steps),
        THINGS_TEST(a_limit_that_is_not_reached_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
