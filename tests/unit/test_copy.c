// A copy holds every row of every table, goes on wherever it was interrupted, and never leaves two databases
// that the service would start on. With TEST_POSTGRESQL the target is a database of PostgreSQL.
#include "copy_fixture.h"

#include <sys/wait.h>

#include "base/arena.h"
#include "base/require.h"

struct fixture {
    struct scratch scratch;
    char from[160];
    char back[160];
    struct arena arena;
    struct err err;
};

// More payments than two batches hold, and values that are easily mistaken.
static const char rows[] =
    "INSERT INTO meta VALUES ('master_key_id', x'0102030405060708'), ('a', x''), ('z', x'');"
    "INSERT INTO merchants VALUES (x'00', '', 'merchant', 1, NULL, x'', x'00ff', 9223372036854775807, 0, 0, "
    "-9223372036854775808);"
    "INSERT INTO api_keys VALUES (x'01', x'00', x'0a', 'p', 1, 0, NULL, NULL, NULL, 5);"
    "INSERT INTO credentials VALUES (x'02', x'00', 'stripe', 0, 1, x'03', NULL, 1, 2);"
    "INSERT INTO credential_versions VALUES (x'03', x'02', x'ffee', 1);"
    "INSERT INTO customers VALUES (x'04', x'00', 0, 'é@ü.example', '', NULL, x'03', 0, 1);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2345)"
    " INSERT INTO payments (id, merchant_id, livemode, amount_minor, amount_thousandths, currency, status,"
    " provider, provider_ref, idempotency_key, description, capture_manual, captured_minor, refunded_minor,"
    " capturable, action_given, action_secret, credential_version_id, created_us, updated_us)"
    " SELECT CAST(printf('%016d', i * 7919 % 10007) AS BLOB), x'00', i % 2, i, i, 'USD', 'completed', "
    "'stripe',"
    " 'pi_' || i, 'k' || i, CASE i % 3 WHEN 0 THEN '' WHEN 1 THEN '€' || i END, 0, 0, 0, 0, 0,"
    " CASE WHEN i % 5 = 0 THEN randomblob(40) END, x'03', i, i FROM n;"
    "INSERT INTO payment_history SELECT id, id, 1, 'created', 'pending', 'request', NULL FROM payments;"
    "INSERT INTO payment_history SELECT id, x'ff', 2, 'paid', 'completed', 'answer', 'ref' FROM payments;"
    "INSERT INTO refunds (id, payment_id, merchant_id, livemode, amount_minor, currency, status,"
    " credential_version_id, created_us, updated_us)"
    " SELECT id, id, merchant_id, livemode, 1, 'USD', 'pending', x'03', 1, 1 FROM payments LIMIT 1000;"
    "INSERT INTO idempotency_keys SELECT merchant_id, livemode, 'payment', idempotency_key, x'00', id, 1, "
    "NULL"
    " FROM payments;"
    "INSERT INTO replies SELECT id, 201, x'7b7d', 1 FROM payments LIMIT 999;"
    "INSERT INTO operations (subject_id, kind, merchant_id, livemode, credential_version_id, attempts,"
    " unresolved, look_up, next_attempt_us, created_us)"
    " SELECT id, 'refund', merchant_id, livemode, x'03', 0, 0, 0, 1, 1 FROM refunds LIMIT 10;"
    "INSERT INTO outbox (id, merchant_id, livemode, transaction_id, type, body, status, attempts, created_us)"
    " SELECT id, merchant_id, livemode, id, 'payment.completed', '{}', 'delivered', 1, 1 FROM payments;"
    "INSERT INTO failing_endpoints VALUES (x'00');"
    "INSERT INTO key_uses VALUES (x'04', 1);"
    "INSERT INTO inbox VALUES (x'00', 0, 'evt', 'charge.refunded', NULL, x'00', 1, x'01', 'kept', 'why');"
    "INSERT INTO event_feeds VALUES (x'02', 1, 2, 3, NULL);"
    "INSERT INTO audit_log VALUES (7, x'07', 'auth.success', 'info', NULL, NULL, NULL, '', '{}', 1, x'01');"
    "INSERT INTO audit_gaps VALUES (1, 6, x'01', x'02');";

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    scratch_make(&f->scratch);
    snprintf(f->from, sizeof(f->from), "sqlite:%s/from.db", f->scratch.directory);
    snprintf(f->back, sizeof(f->back), "sqlite:%s/back.db", f->scratch.directory);
    make_database(f->from);
    struct db *db = database_open(f->from, true);
    database_script(db, rows);
    db->driver->close(db);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void script(const char *database, const char *sql)
{
    struct db *db = database_open(database, true);
    database_script(db, sql);
    db->driver->close(db);
}

static int64_t number(const char *database, const char *sql)
{
    struct db *db = database_open(database, false);
    const int64_t found = database_committed_number(db, sql);
    db->driver->close(db);
    return found;
}

static void go_on(void *context, const struct copy_progress *progress)
{
    (void)context;
    assert_true(progress->done <= progress->total);
}

static enum errc copy(struct fixture *f, const char *from, const char *to)
{
    const struct copy_options options = {.from = from, .to = to, .progress = go_on};
    int64_t count = 0;
    return store_copy(&options, &count, &f->err);
}

static void assert_copies(struct fixture *f, const char *from, const char *to)
{
    if (copy(f, from, to) != OK) {
        fail_msg("%s", f->err.message);
    }
    assert_int_equal(role_of(from), COPY_LEFT);
    assert_int_equal(role_of(to), COPY_NONE);
}

static void assert_refuses(struct fixture *f, const char *from, const char *to, const char *why)
{
    assert_int_not_equal(copy(f, from, to), OK);
    if (strstr(f->err.message, why) == NULL) {
        fail_msg("not \"%s\": %s", why, f->err.message);
    }
}

static void end_at(void *context, const struct copy_progress *progress)
{
    int *left = context;
    (void)progress;
    if ((*left)-- == 0) {
        _exit(9);
    }
}

// In a process that ends, as if it was killed, after so many batches. False: it came to the end before.
static bool interrupt(struct fixture *f, const char *to, int batches)
{
    const pid_t child = fork();
    if (child == 0) {
        const struct copy_options options = {
            .from = f->from, .to = to, .progress = end_at, .context = &batches};
        int64_t count = 0;
        _exit(store_copy(&options, &count, &f->err) == OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    return WEXITSTATUS(status) == 9;
}

static void a_copy_holds_every_row_and_so_does_the_copy_back(void **state)
{
    struct fixture *f = *state;
    assert_copies(f, f->from, f->scratch.database);
    assert_int_equal(number(f->scratch.database, "SELECT count(*) FROM payments"), 2345);
    assert_int_equal(number(f->scratch.database, "SELECT count(*) FROM payments WHERE description IS NULL"),
                     number(f->from, "SELECT count(*) FROM payments WHERE description IS NULL"));
    assert_int_equal(number(f->scratch.database, "SELECT updated_us FROM merchants"), INT64_MIN);
    assert_copies(f, f->scratch.database, f->back);
    // The mark apart, the first and the last are the same.
    static const char *const sums[] = {"SELECT sum(length(action_secret)) FROM payments",
                                       "SELECT count(*) FROM payment_history",
                                       "SELECT count(*) FROM meta WHERE " COPY_NOT_THE_MARK};
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        assert_int_equal(number(f->from, sums[i]), number(f->back, sums[i]));
    }
}

static void a_copy_goes_on_wherever_it_was_interrupted(void **state)
{
    struct fixture *f = *state;
    int interruptions = 0;
    // One more batch each time: wherever it begins, it is interrupted after each of its batches.
    while (interrupt(f, f->scratch.database, interruptions % 4)) {
        interruptions++;
        assert_int_equal(role_of(f->from), COPY_LEAVING);
        assert_int_equal(role_of(f->scratch.database), COPY_UNFINISHED);
        if (interruptions > 60) {
            break; // it is comparing, which begins anew
        }
    }
    assert_true(interruptions > 10);
    assert_copies(f, f->from, f->scratch.database);
}

static void it_ends_if_it_was_interrupted_between_its_last_two_marks(void **state)
{
    struct fixture *f = *state;
    assert_copies(f, f->from, f->scratch.database);
    // As it was just before.
    struct copy_mark mark = mark_of(f->from);
    mark.role = COPY_UNFINISHED;
    struct db *db = database_open(f->scratch.database, true);
    database_begin(db, true);
    assert_int_equal(copy_mark_put(db, &mark, &f->err), OK);
    database_commit(db);
    db->driver->close(db);
    assert_copies(f, f->from, f->scratch.database);
}

static void a_copy_that_is_finished_is_not_made_again(void **state)
{
    struct fixture *f = *state;
    assert_copies(f, f->from, f->scratch.database);
    assert_refuses(f, f->from, f->scratch.database, "not empty");
    assert_refuses(f, f->from, f->back, "was copied to another");
    assert_int_not_equal(store_copy_cancel(f->from, &f->err), OK);
    assert_int_equal(role_of(f->from), COPY_LEFT);
}

static void a_cancelled_copy_never_goes_on(void **state)
{
    struct fixture *f = *state;
    assert_true(interrupt(f, f->scratch.database, 8));
    assert_int_equal(store_copy_cancel(f->from, &f->err), OK);
    assert_int_equal(role_of(f->from), COPY_NONE);
    assert_int_equal(role_of(f->scratch.database), COPY_UNFINISHED);
    assert_refuses(f, f->from, f->scratch.database, "unfinished copy that was cancelled");
    assert_int_not_equal(store_copy_cancel(f->from, &f->err), OK);
    assert_copies(f, f->from, f->back);
}

static void a_target_with_data_is_left_alone(void **state)
{
    struct fixture *f = *state;
    make_database(f->back);
    script(f->back, "INSERT INTO meta VALUES ('master_key_id', x'00')");
    assert_refuses(f, f->from, f->back, "not empty: its table meta");
    assert_int_equal(role_of(f->from), COPY_NONE);
    assert_int_equal(role_of(f->back), COPY_NONE);
    assert_refuses(f, f->from, f->from, "are the same");
}

static void a_source_must_be_there_whole_and_of_this_version(void **state)
{
    struct fixture *f = *state;
    char missing[160];
    snprintf(missing, sizeof(missing), "sqlite:%s/missing.db", f->scratch.directory);
    assert_int_not_equal(copy(f, missing, f->back), OK);
    assert_int_not_equal(access(missing + strlen("sqlite:"), F_OK), 0);
    assert_true(interrupt(f, f->scratch.database, 3));
    assert_refuses(f, f->scratch.database, f->back, "unfinished copy itself");
    assert_int_equal(store_copy_cancel(f->from, &f->err), OK);
    script(f->from, "DELETE FROM schema_version WHERE version = (SELECT max(version) FROM schema_version)");
    assert_refuses(f, f->from, f->back, "paymentsd migrate");
}

static void a_database_that_a_service_uses_is_refused(void **state)
{
    struct fixture *f = *state;
    int claim = -1;
    assert_int_equal(sqlite_driver.claim(f->from, &claim, &f->err), OK);
    assert_refuses(f, f->from, f->scratch.database, "another paymentsd");
    close(claim);
    assert_copies(f, f->from, f->scratch.database);
}

// On PostgreSQL nothing claims the database: a service shows itself by its beat.
static void a_database_that_a_node_serves_is_refused(void **state)
{
    struct fixture *f = *state;
    if (getenv("TEST_POSTGRESQL") == NULL) {
        return;
    }
    assert_copies(f, f->from, f->scratch.database);
    script(f->scratch.database,
           "INSERT INTO nodes (id, name, started_us, beat, beat_us, trusts) VALUES ('\\x01', 'one', 0, 1,"
           " CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT), 0)");
    assert_refuses(f, f->scratch.database, f->back, "a service is running");
    assert_refuses(f, f->scratch.database, f->back, "(one)");
    assert_int_equal(role_of(f->scratch.database), COPY_NONE);
    script(f->scratch.database, "UPDATE nodes SET beat_us = beat_us - 12000000"); // it was killed
    assert_copies(f, f->scratch.database, f->back);
}

static void a_lease_stays_behind_with_its_node(void **state)
{
    struct fixture *f = *state;
    script(f->from, "UPDATE operations SET node_id = subject_id");
    script(f->from, "UPDATE outbox SET node_id = id");
    assert_copies(f, f->from, f->scratch.database);
    assert_int_equal(number(f->scratch.database, "SELECT count(*) FROM operations WHERE node_id IS NOT NULL"),
                     0);
    assert_int_equal(number(f->scratch.database, "SELECT count(*) FROM outbox WHERE node_id IS NOT NULL"), 0);
}

static void a_damaged_value_is_named_by_its_table_and_row(void **state)
{
    struct fixture *f = *state;
    script(f->from, "UPDATE payments SET description = CAST(x'61ff' AS TEXT) WHERE amount_minor = 2000");
    char id[17] = "";
    struct db *db = database_open(f->from, false);
    database_begin(db, false);
    {
        DB_ROWS(found);
        bool has = false;
        assert_int_equal(db_first(db, &found, &has, &f->err,
                                  "SELECT id FROM payments WHERE amount_minor = $1", DB_I64(2000)),
                         OK);
        db_fixed(&found, 0, id, 16);
    }
    db->driver->rollback(db);
    db->driver->close(db);
    char name[UUID_TEXT_BYTES];
    struct uuid uuid;
    memcpy(uuid.bytes, id, sizeof(uuid.bytes));
    uuid_format(&uuid, name);
    assert_refuses(f, f->from, f->scratch.database,
                   arena_printf(&f->arena, "table payments, row %s: a value is damaged", name));
    assert_int_equal(role_of(f->scratch.database), COPY_UNFINISHED);
}

static void a_row_that_the_target_refuses_is_named_by_its_table(void **state)
{
    struct fixture *f = *state;
    script(f->from, "PRAGMA ignore_check_constraints = 1;"
                    "UPDATE payments SET amount_minor = 0 WHERE amount_minor = 2000");
    assert_refuses(f, f->from, f->scratch.database, "table payments, after the row");
    assert_int_equal(role_of(f->scratch.database), COPY_UNFINISHED);
}

static void a_row_that_differs_is_found(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *change;
        const char *why;
    } changes[] = {
        {"UPDATE payments SET description = 'x' WHERE amount_minor = 1234", "it differs in the copy"},
        {"DELETE FROM failing_endpoints", "table failing_endpoints"},
        {"UPDATE merchants SET updated_us = updated_us + 1", "table merchants"},
        {"UPDATE credential_versions SET secret_key = NULL", "table credential_versions"},
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        char to[176];
        snprintf(to, sizeof(to), "sqlite:%s/to%zu.db", f->scratch.directory, i);
        assert_true(interrupt(f, to, 45)); // it compares by then
        struct db *db = database_open(to, true);
        database_script(db, changes[i].change);
        db->driver->close(db);
        if (i != 1) { // this one is copied again
            assert_refuses(f, f->from, to, changes[i].why);
            assert_int_equal(role_of(to), COPY_UNFINISHED);
        }
        assert_int_equal(store_copy_cancel(f->from, &f->err), OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_copy_holds_every_row_and_so_does_the_copy_back),
        TEST(a_copy_goes_on_wherever_it_was_interrupted),
        TEST(it_ends_if_it_was_interrupted_between_its_last_two_marks),
        TEST(a_copy_that_is_finished_is_not_made_again),
        TEST(a_cancelled_copy_never_goes_on),
        TEST(a_target_with_data_is_left_alone),
        TEST(a_source_must_be_there_whole_and_of_this_version),
        TEST(a_database_that_a_service_uses_is_refused),
        TEST(a_database_that_a_node_serves_is_refused),
        TEST(a_lease_stays_behind_with_its_node),
        TEST(a_damaged_value_is_named_by_its_table_and_row),
        TEST(a_row_that_the_target_refuses_is_named_by_its_table),
        TEST(a_row_that_differs_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
