// Databases that the store refuses to open, and commands that open one for a moment.
#include "store_fixture.h"

static void a_second_server_is_refused_and_a_command_is_not(void **state)
{
    struct fixture *fixture = *state;
    struct store *second = NULL;
    struct err err = {0};
    open_store(fixture, 1);
    assert_int_equal(try_open(fixture, 1, &second, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "another paymentsd is serving this database"));
    assert_int_equal(store_run_once(fixture->scratch.database, create_table, NULL, &err), OK);
    close_store(fixture);
    open_store(fixture, 1);
    close_store(fixture);
}

static enum errc fail_after_insert(struct db *db, void *context, struct err *err)
{
    int *calls = context;
    (*calls)++;
    const enum errc result = db_run(db, NULL, err, "INSERT INTO things (id) VALUES (1)");
    return result == OK ? err_set(err, ERR_CONFLICT, "no") : result;
}

static void a_command_that_fails_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    int calls = 0;
    for (int i = 1; i <= 2; i++) { // had the first left its row, the second would find it
        assert_int_equal(store_run_once(fixture->scratch.database, fail_after_insert, &calls, &err),
                         ERR_CONFLICT);
        assert_int_equal(calls, i);
    }
}

static enum errc grow_schema(struct db *db, void *context, struct err *err)
{
    (void)context;
    return db_run(db, NULL, err, "INSERT INTO schema_version (version) VALUES (1000)");
}

static void an_unknown_kind_of_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    struct err err = {0};
    const struct store_options unknown = {
        .database = "mysql://x", .readers = 1, .queue_max = 1, .batch_max = 1};
    assert_int_equal(store_open(&fixture->inbox.loop, &unknown, &store, &err), ERR_CONFIG);
    assert_int_equal(store_run_once("mysql://x", create_table, NULL, &err), ERR_CONFIG);
}

static void a_newer_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    struct err err = {0};
    assert_int_equal(store_run_once(fixture->scratch.database, grow_schema, NULL, &err), OK);
    assert_int_equal(try_open(fixture, 1, &store, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "newer paymentsd"));
    assert_int_equal(store_run_once(fixture->scratch.database, create_table, NULL, &err), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONLY_SQLITE("PostgreSQL has many servers", TEST(a_second_server_is_refused_and_a_command_is_not)),
        TEST(a_command_that_fails_leaves_nothing),
        TEST(an_unknown_kind_of_database_is_refused),
        ONLY_SQLITE("older nodes run beside newer ones", TEST(a_newer_database_is_refused)),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
