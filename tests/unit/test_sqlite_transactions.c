// The SQLite driver's transactions: savepoints, failed commits, a full disk, readers and other processes.
#include "sqlite_fixture.h"

#include <sys/wait.h>

static void a_savepoint_undoes_what_came_after_it_and_no_more(void **state)
{
    struct fixture *f = *state;
    const struct db_driver *driver = f->db->driver;
    insert(f, 1);
    assert_int_equal(driver->savepoint(f->db, &f->err), OK);
    insert(f, 2);
    assert_int_equal(driver->savepoint(f->db, &f->err), OK); // one inside the other
    insert(f, 3);
    assert_int_equal(driver->rollback_to(f->db, &f->err), OK);
    assert_int_equal(count_things(f->db), 2);
    assert_int_equal(driver->rollback_to(f->db, &f->err), OK);
    assert_int_equal(count_things(f->db), 1);
    assert_int_equal(driver->savepoint(f->db, &f->err), OK);
    insert(f, 4);
    assert_int_equal(driver->release(f->db, &f->err), OK);
    database_commit(f->db);
    database_begin(f->db, true);
    assert_int_equal(count_things(f->db), 2);
}

static void a_commit_that_fails_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    insert(f, 1);
    run(f, "INSERT INTO parts VALUES (99, 1)"); // whose missing thing only the commit notices
    assert_int_equal(f->db->driver->commit(f->db, &f->err), ERR_STORE);
    assert_non_null(strstr(f->err.message, "FOREIGN KEY"));
    database_begin(f->db, true);
    assert_int_equal(count_things(f->db), 0);
}

// SQLite ends the transaction by itself; a statement after that would commit alone.
static void after_a_full_disk_nothing_of_the_transaction_can_be_kept(void **state)
{
    struct fixture *f = *state;
    const struct db_driver *driver = f->db->driver;
    insert(f, 1);
    run(f, "PRAGMA max_page_count = 30");
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO things (bytes) VALUES (zeroblob(200000))"),
                     ERR_STORE);
    assert_string_equal(f->err.message, "database: the disk is full");
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO things (id) VALUES (2)"), ERR_STORE);
    assert_int_equal(driver->savepoint(f->db, &f->err), ERR_STORE);
    assert_int_equal(driver->commit(f->db, &f->err), ERR_STORE);
    database_begin(f->db, true);
    assert_int_equal(count_things(f->db), 0);
    insert(f, 3);
}

static void a_reader_sees_one_moment_and_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    insert(f, 1);
    database_commit(f->db);
    struct db *reader = database_open(f->scratch.database, false);
    database_begin(reader, false);
    assert_int_equal(count_things(reader), 1);
    database_begin(f->db, true);
    insert(f, 2);
    database_commit(f->db);
    assert_int_equal(count_things(reader), 1);
    database_commit(reader);
    database_begin(reader, false);
    assert_int_equal(count_things(reader), 2);
    assert_int_equal(db_run(reader, NULL, &err, "DELETE FROM things"), ERR_STORE);
    assert_non_null(strstr(err.message, "readonly"));
    database_commit(reader);
    sqlite_driver.close(reader);
    database_begin(f->db, true);
}

// In another process: takes the write lock, says so, keeps it for a moment, commits.
static _Noreturn void write_in_between(const char *database, int ready)
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
    if (result != OK || write(ready, "x", 1) != 1) {
        _exit(1);
    }
    usleep(100000); // how long the lock is held; nothing is waited for
    _exit(sqlite_driver.commit(db, &err) == OK ? 0 : 1);
}

static void another_process_that_writes_is_waited_for(void **state)
{
    struct fixture *f = *state;
    database_commit(f->db);
    f->db->driver->close(f->db); // a connection must not be carried into another process
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        write_in_between(f->scratch.database, ends[1]);
    }
    char byte = 0;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    f->db = database_open(f->scratch.database, true);
    database_begin(f->db, true);
    assert_int_equal(count_things(f->db), 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        THINGS_TEST(a_savepoint_undoes_what_came_after_it_and_no_more),
        THINGS_TEST(a_commit_that_fails_leaves_nothing),
        THINGS_TEST(after_a_full_disk_nothing_of_the_transaction_can_be_kept),
        THINGS_TEST(a_reader_sees_one_moment_and_cannot_write),
        THINGS_TEST(another_process_that_writes_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
