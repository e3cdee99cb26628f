// The SQLite driver's transactions: savepoints, failed commits, a full disk, readers and other processes.
#include "sqlite_fixture.h"

#include <sys/wait.h>

static void a_savepoint_undoes_what_came_after_it_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    const struct db_driver *driver = fixture->db->driver;
    insert(fixture, 1);
    assert_int_equal(driver->savepoint(fixture->db, &fixture->err), OK);
    insert(fixture, 2);
    assert_int_equal(driver->savepoint(fixture->db, &fixture->err), OK); // one inside the other
    insert(fixture, 3);
    assert_int_equal(driver->rollback_to(fixture->db, &fixture->err), OK);
    assert_int_equal(count_things(fixture), 2);
    assert_int_equal(driver->rollback_to(fixture->db, &fixture->err), OK);
    assert_int_equal(count_things(fixture), 1);
    assert_int_equal(driver->savepoint(fixture->db, &fixture->err), OK);
    insert(fixture, 4);
    assert_int_equal(driver->release(fixture->db, &fixture->err), OK);
    commit(fixture);
    begin(fixture);
    assert_int_equal(count_things(fixture), 2);
}

static void a_commit_that_fails_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    insert(fixture, 1);
    run(fixture, "INSERT INTO parts VALUES (99, 1)"); // whose missing thing only the commit notices
    assert_int_equal(fixture->db->driver->commit(fixture->db, &fixture->err), ERR_STORE);
    assert_non_null(strstr(fixture->err.message, "FOREIGN KEY"));
    begin(fixture);
    assert_int_equal(count_things(fixture), 0);
}

// SQLite ends the transaction by itself; a statement after that would commit alone.
static void after_a_full_disk_nothing_of_the_transaction_can_be_kept(void **state)
{
    struct fixture *fixture = *state;
    const struct db_driver *driver = fixture->db->driver;
    insert(fixture, 1);
    run(fixture, "PRAGMA max_page_count = 30");
    assert_int_equal(
        db_run(fixture->db, NULL, &fixture->err, "INSERT INTO things (bytes) VALUES (zeroblob(200000))"),
        ERR_STORE);
    assert_string_equal(fixture->err.message, "database: the disk is full");
    assert_int_equal(db_run(fixture->db, NULL, &fixture->err, "INSERT INTO things (id) VALUES (2)"),
                     ERR_STORE);
    assert_int_equal(driver->savepoint(fixture->db, &fixture->err), ERR_STORE);
    assert_int_equal(driver->commit(fixture->db, &fixture->err), ERR_STORE);
    begin(fixture);
    assert_int_equal(count_things(fixture), 0);
    insert(fixture, 3);
}

static void a_reader_sees_one_moment_and_cannot_write(void **state)
{
    struct fixture *fixture = *state;
    struct fixture reader = {0};
    insert(fixture, 1);
    commit(fixture);
    assert_int_equal(sqlite_driver.open(fixture->scratch.database, false, &reader.db, &reader.err), OK);
    assert_int_equal(sqlite_driver.begin(reader.db, false, &reader.err), OK);
    assert_int_equal(count_things(&reader), 1);
    begin(fixture);
    insert(fixture, 2);
    commit(fixture);
    assert_int_equal(count_things(&reader), 1);
    commit(&reader);
    assert_int_equal(sqlite_driver.begin(reader.db, false, &reader.err), OK);
    assert_int_equal(count_things(&reader), 2);
    assert_int_equal(db_run(reader.db, NULL, &reader.err, "DELETE FROM things"), ERR_STORE);
    assert_non_null(strstr(reader.err.message, "readonly"));
    commit(&reader);
    sqlite_driver.close(reader.db);
    begin(fixture);
}

// In another process: takes the write lock, says so, keeps it for a moment, commits.
static _Noreturn void write_in_between(const char *database, int told)
{
    struct db *db = NULL;
    struct err err = {0};
    enum errc result = sqlite_driver.open(database, true, &db, &err);
    if (result == OK) {
        result = sqlite_driver.begin(db, true, &err);
    }
    if (result == OK) {
        result = db_run(db, NULL, &err, "INSERT INTO things (id) VALUES (7)");
    }
    if (result != OK || write(told, "x", 1) != 1) {
        _exit(1);
    }
    usleep(100000); // how long the lock is held; nothing is waited for
    _exit(sqlite_driver.commit(db, &err) == OK ? 0 : 1);
}

static void another_process_that_writes_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture);
    sqlite_driver.close(fixture->db); // a connection must not be carried into another process
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        write_in_between(fixture->scratch.database, ends[1]);
    }
    char byte = 0;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(sqlite_driver.open(fixture->scratch.database, true, &fixture->db, &fixture->err), OK);
    begin(fixture);
    assert_int_equal(count_things(fixture), 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_savepoint_undoes_what_came_after_it_and_no_more),
        TEST(a_commit_that_fails_leaves_nothing),
        TEST(after_a_full_disk_nothing_of_the_transaction_can_be_kept),
        TEST(a_reader_sees_one_moment_and_cannot_write),
        TEST(another_process_that_writes_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
