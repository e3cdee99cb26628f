// Migrations: whole steps or none, once each, in order, and never backwards.
#include "database.h"

#include <sys/wait.h>

#include "store/idempotency.h"
#include "store/migrate.h"
#include "store/operations.h"
#include "store/schema.h"

#define SUM_OF_B "SELECT CAST(sum(x) AS BIGINT) FROM b"

static const char *const steps[] = {
    "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);",
    "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO b SELECT x + 1 FROM a;",
    "INSERT INTO b VALUES (3)",
};

static struct db *opened(void **state)
{
    const struct scratch *scratch = *state;
    return database_open(scratch->database, true);
}

static void each_step_is_applied_once_and_in_order(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(migrate_steps(db, steps, 3, &err), OK);
        assert_int_equal(database_committed_number(db, SUM_OF_B), 5);
        assert_int_equal(database_committed_number(db, "SELECT max(version) FROM schema_version"), 3);
    }
    db->driver->close(db);
}

static void a_longer_list_goes_on_from_where_it_stood(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    assert_int_equal(migrate_steps(db, steps, 1, &err), OK);
    assert_int_equal(database_committed_number(db, "SELECT count(*) FROM a"), 1);
    assert_int_equal(migrate_steps(db, steps, 3, &err), OK);
    assert_int_equal(database_committed_number(db, "SELECT count(*) FROM a"), 1);
    assert_int_equal(database_committed_number(db, "SELECT count(*) FROM b"), 2);
    db->driver->close(db);
}

static void a_step_that_fails_leaves_nothing_of_itself_and_can_be_repeated(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    const char *const broken[] = {steps[0],
                                  "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"};
    assert_int_equal(migrate_steps(db, broken, 2, &err), ERR_STORE);
    assert_non_null(strstr(err.message, "nowhere"));
    assert_int_equal(database_committed_number(db, "SELECT max(version) FROM schema_version"), 1);
    db->driver->close(db);

    db = opened(state);
    assert_int_equal(migrate_steps(db, steps, 3, &err), OK); // so there was no table b
    assert_int_equal(database_committed_number(db, SUM_OF_B), 5);
    db->driver->close(db);
}

static void a_newer_database_is_refused_and_left_as_it_was(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    assert_int_equal(migrate_steps(db, steps, 3, &err), OK);
    assert_int_equal(migrate_steps(db, steps, 2, &err), ERR_CONFIG);
    assert_string_equal(err.message, "the database belongs to a newer paymentsd: its schema is version 3, "
                                     "this program's is 2");
    assert_int_equal(database_committed_number(db, "SELECT max(version) FROM schema_version"), 3);
    db->driver->close(db);
}

static void the_programs_own_steps_are_valid(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    if (migrate(db, &err) != OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(database_committed_number(db, "SELECT max(version) FROM schema_version"),
                     schema_step_count);
    db->driver->close(db);
}

// From before an answer had an id of its own: it is the subject's.
static void a_key_of_the_first_schema_is_found_after_the_second(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    struct idempotency_key key = {0};
    const struct uuid merchant_id = {{0x01}};
    bool found = false;
    assert_int_equal(migrate_steps(db, schema_steps, 1, &err), OK);
    database_begin(db, true);
    assert_int_equal(
        db_run(db, NULL, &err,
               "INSERT INTO idempotency_keys VALUES (x'01000000000000000000000000000000', 0, 'card',"
               " 'save-1', zeroblob(32), x'02000000000000000000000000000000', 7)"),
        OK);
    database_commit(db);
    assert_int_equal(migrate(db, &err), OK);
    database_begin(db, false);
    assert_int_equal(idempotency_find(db, &merchant_id, false, "card", "save-1", &key, &found, &err), OK);
    assert_true(found && key.created_us == 7 && uuid_is_nil(&key.reply_id));
    db->driver->rollback(db);
    db->driver->close(db);
}

static void a_gone_customers_cards_are_made_inactive(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    assert_int_equal(migrate_steps(db, schema_steps, 1, &err), OK);
    database_script(
        db, "INSERT INTO customers (id, merchant_id, livemode, email, body, credential_version_id,"
            " gone_us, created_us) VALUES"
            " (x'01', x'00', 0, 'a@example.com', '', x'00', 7, 0),"
            " (x'02', x'00', 0, 'a@example.com', '', x'00', 0, 0);"
            "INSERT INTO cards (id, merchant_id, customer_id, livemode, status, provider, method_sent,"
            " exp_month, exp_year, is_default, credential_version_id, created_us, updated_us) VALUES"
            " (x'11', x'00', x'01', 0, 'active', 'stripe', 'pm_1', 1, 2030, 1, x'00', 0, 0),"
            " (x'12', x'00', x'02', 0, 'active', 'stripe', 'pm_2', 1, 2030, 1, x'00', 0, 0);");
    assert_int_equal(migrate(db, &err), OK);
    assert_int_equal(
        database_committed_number(db, "SELECT count(*) FROM cards WHERE status = 'active' AND id = x'12'"),
        1);
    assert_int_equal(
        database_committed_number(db, "SELECT count(*) FROM cards WHERE status = 'gone' AND is_default = 0"),
        1);
    db->driver->close(db);
}

static void an_operation_of_the_first_schema_was_never_refused(void **state)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct db *db = opened(state);
    struct err err = {0};
    struct operation operation = {0};
    const struct uuid id = {{0x01}};
    assert_int_equal(migrate_steps(db, schema_steps, 1, &err), OK);
    database_begin(db, true);
    assert_int_equal(
        db_run(db, NULL, &err,
               "INSERT INTO operations VALUES ($1, 'charge', $1, 0, $1, 'a=1', 2, 1, 0, 0, 7, 5)",
               DB_ID(&id)),
        OK);
    database_commit(db);
    assert_int_equal(migrate(db, &err), OK);
    database_begin(db, false);
    assert_int_equal(operation_get(db, &id, "charge", &arena, &operation, &err), OK);
    assert_true(operation.attempts == 2 && operation.refused_attempt == 0);
    assert_true(uuid_is_nil(&operation.refused_version_id));
    db->driver->rollback(db);
    db->driver->close(db);
}

static void e_mails_are_folded_again_and_no_customer_is_lost(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    assert_int_equal(migrate_steps(db, schema_steps, 4, &err), OK);
    database_script(db,
                    "INSERT INTO customers (id, merchant_id, livemode, email, body, credential_version_id,"
                    " gone_us, created_us) VALUES"
                    " (x'01', x'00', 0, 'a@example.com', '', x'00', 0, 0),"
                    " (x'02', x'00', 0, 'j\u00d6rg@example.com', '', x'00', 0, 0),"
                    " (x'03', x'00', 0, 'jo\u0308rg@example.com', '', x'00', 0, 0),"
                    " (x'04', x'00', 1, 'jo\u0308rg@example.com', '', x'00', 0, 0),"
                    " (x'05', x'00', 0, NULL, '', x'00', 0, 0);");
    assert_int_equal(migrate(db, &err), OK);
    assert_int_equal(database_committed_number(db, "SELECT count(*) FROM customers"), 5);
    assert_int_equal(
        database_committed_number(db, "SELECT count(*) FROM customers WHERE email = 'j\u00f6rg@example.com'"),
        2);
    assert_int_equal(
        database_committed_number(db, "SELECT count(*) FROM customers WHERE email = 'a@example.com'"), 1);
    assert_int_equal(database_committed_number(db, "SELECT count(*) FROM customers WHERE email IS NULL"), 1);
    db->driver->close(db);
}

static void of_cards_that_are_saved_twice_the_first_goes_on(void **state)
{
    struct db *db = opened(state);
    struct err err = {0};
    assert_int_equal(migrate_steps(db, schema_steps, 14, &err), OK);
    database_script(
        db, "INSERT INTO customers (id, merchant_id, livemode, body, credential_version_id, gone_us,"
            " created_us) VALUES (x'01', x'00', 0, '', x'00', 0, 0);"
            "INSERT INTO cards (id, merchant_id, customer_id, livemode, status, provider, method_sent,"
            " customer_email, setup_ref, exp_month, exp_year, is_default, credential_version_id, created_us,"
            " updated_us) VALUES"
            " (x'11', x'00', x'01', 0, 'saving', 'stripe', 'pm_1', NULL, NULL, 0, 0, 0, x'00', 0, 0),"
            " (x'12', x'00', x'01', 0, 'saving', 'stripe', 'pm_1', NULL, NULL, 0, 0, 0, x'00', 0, 0),"
            " (x'13', x'00', x'01', 0, 'saving', 'stripe', 'pm_1', '', NULL, 0, 0, 0, x'00', 0, 0),"
            " (x'14', x'00', x'01', 0, 'saving', 'stripe', 'pm_1', 'a@b.c', NULL, 0, 0, 0, x'00', 0, 0),"
            " (x'15', x'00', x'01', 0, 'saving', 'stripe', 'pm_1', NULL, 'seti', 0, 0, 0, x'00', 0, 0),"
            " (x'16', x'00', x'01', 1, 'saving', 'stripe', 'pm_1', NULL, NULL, 0, 0, 0, x'00', 0, 0),"
            " (x'17', x'00', x'01', 0, 'active', 'stripe', 'pm_1', NULL, NULL, 0, 0, 0, x'00', 0, 0);");
    assert_int_equal(migrate(db, &err), OK);
    assert_int_equal(database_committed_number(db, "SELECT count(*) FROM cards WHERE status = 'saving'"
                                                   " AND id IN (x'11', x'14', x'15', x'16')"),
                     4);
    assert_int_equal(database_committed_number(db,
                                               "SELECT count(*) FROM cards WHERE status = 'gone'"
                                               " AND failure_code = 'duplicate' AND id IN (x'12', x'13')"),
                     2);
    db->driver->close(db);
}

// In a process of its own, where a failed assertion would have nowhere to go.
static _Noreturn void migrate_and_exit(const char *database)
{
    struct err err = {0};
    struct db *db = NULL;
    const struct db_driver *driver = NULL;
    enum errc result = db_driver_find(database, &driver, &err);
    if (result == OK) {
        result = driver->open(database, true, &db, &err);
    }
    if (result == OK) {
        result = migrate_steps(db, steps, 3, &err);
        db->driver->close(db);
    }
    if (result != OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    _exit(result == OK ? 0 : 1);
}

static void programs_that_start_at_once_take_turns(void **state)
{
    const struct scratch *scratch = *state;
    pid_t children[4];
    for (size_t i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            migrate_and_exit(scratch->database);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct db *db = opened(state);
    assert_int_equal(database_committed_number(db, SUM_OF_B), 5);
    assert_int_equal(database_committed_number(db, "SELECT count(*) FROM schema_version"), 3);
    db->driver->close(db);
}

#define OLD "no database on PostgreSQL is that old"
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_step_is_applied_once_and_in_order),
        TEST(a_longer_list_goes_on_from_where_it_stood),
        TEST(a_step_that_fails_leaves_nothing_of_itself_and_can_be_repeated),
        TEST(a_newer_database_is_refused_and_left_as_it_was),
        TEST(the_programs_own_steps_are_valid),
        ONLY_SQLITE(OLD, TEST(a_key_of_the_first_schema_is_found_after_the_second)),
        ONLY_SQLITE(OLD, TEST(a_gone_customers_cards_are_made_inactive)),
        ONLY_SQLITE(OLD, TEST(an_operation_of_the_first_schema_was_never_refused)),
        ONLY_SQLITE(OLD, TEST(e_mails_are_folded_again_and_no_customer_is_lost)),
        TEST(of_cards_that_are_saved_twice_the_first_goes_on),
        TEST(programs_that_start_at_once_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
