// Statements that are sent before the answers to those before them were read, in every number that may wait.
#include "database_fixture.h"

#include <stdio.h>

#define WAITING_MAX 300 // more than a connection lets wait
#define KEPT_TEXTS 64   // as many as a connection keeps (db_query_built)

static int setup_numbers(void **state)
{
    *state = fixture_new("CREATE TABLE numbers (number INTEGER NOT NULL) STRICT;");
    return 0;
}

static int teardown_numbers(void **state)
{
    fixture_free(*state);
    return 0;
}

static void query_built(struct fixture *f, int64_t number)
{
    DB_ROWS(rows);
    bool has = false;
    char sql[64];
    snprintf(sql, sizeof(sql), "SELECT number + %d FROM numbers WHERE number < 0", (int)number);
    assert_int_equal(db_query_built(f->db, &rows, &f->err, sql, NULL, 0), OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_false(has);
}

static void a_new_text_may_follow_any_number_of_statements(void **state)
{
    struct fixture *f = *state;
    int64_t texts = 0;
    database_begin(f->db, true);
    while (texts < KEPT_TEXTS) {
        query_built(f, texts++);
    }
    for (int64_t waiting = 1; waiting <= WAITING_MAX; waiting++) {
        for (int64_t i = 0; i < waiting; i++) {
            assert_int_equal(
                db_run(f->db, NULL, &f->err, "INSERT INTO numbers (number) VALUES ($1)", DB_I64(i)), OK);
        }
        query_built(f, texts++);
    }
    database_commit(f->db);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_text_may_follow_any_number_of_statements, setup_numbers,
                                        teardown_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
