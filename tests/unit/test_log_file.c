// What SQLite appends to the write-ahead log is gathered: how often it is written, and what becomes of it
// when that fails or the transaction is rolled back. Below is SQLite's own file system, which counts and
// fails as it is told.
#include "sqlite_fixture.h"

#include <sys/stat.h>

static int (*own_open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);
static int (*own_write)(sqlite3_file *, const void *, int, sqlite3_int64);
static int (*own_sync)(sqlite3_file *, int);
static sqlite3_io_methods log_methods;
static int writes; // to a log
static sqlite3_io_methods database_methods;
static int (*own_database_sync)(sqlite3_file *, int);
static int database_syncs;
static int database_sync_failure; // SQLITE_OK: none
static int write_failure;         // SQLITE_OK: none
static int sync_failure;

static int counted_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at)
{
    writes++;
    return write_failure == SQLITE_OK ? own_write(file, data, bytes, at) : write_failure;
}

static int failing_sync(sqlite3_file *file, int flags)
{
    return sync_failure == SQLITE_OK ? own_sync(file, flags) : sync_failure;
}

static int counted_database_sync(sqlite3_file *file, int flags)
{
    database_syncs++;
    return database_sync_failure == SQLITE_OK ? own_database_sync(file, flags) : database_sync_failure;
}

static int open_counted(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    const int code = own_open(vfs, name, file, flags, flags_out);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        log_methods = *file->pMethods;
        own_write = log_methods.xWrite;
        own_sync = log_methods.xSync;
        log_methods.xWrite = counted_write;
        log_methods.xSync = failing_sync;
        file->pMethods = &log_methods;
    }
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        database_methods = *file->pMethods;
        own_database_sync = database_methods.xSync;
        database_methods.xSync = counted_database_sync;
        file->pMethods = &database_methods;
    }
    return code;
}

// Before any connection is opened.
static int count_writes(void **state)
{
    (void)state;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    own_open = vfs->xOpen;
    vfs->xOpen = open_counted;
    return 0;
}

// With a transaction open and the log begun, so that its first page is not its header.
static int setup_counted(void **state)
{
    write_failure = SQLITE_OK;
    sync_failure = SQLITE_OK;
    database_sync_failure = SQLITE_OK;
    return setup_things(state);
}

static void insert_bytes(struct fixture *f, int64_t bytes)
{
    assert_int_equal(
        db_run(f->db, NULL, &f->err, "INSERT INTO things (bytes) VALUES (zeroblob($1))", DB_I64(bytes)), OK);
}

// So that SQLite writes pages to the log before the transaction commits.
static void insert_more_than_the_cache_holds(struct fixture *f)
{
    run(f, "PRAGMA cache_size = 10");
    for (int i = 0; i < 50; i++) {
        insert_bytes(f, 5000);
    }
}

static void assert_intact(struct fixture *f, int64_t things)
{
    struct db *other = database_open(f->scratch.database, false);
    assert_int_equal(database_committed_number(other, "SELECT count(*) FROM things"), things);
    database_begin(other, false);
    assert_int_equal(
        database_number(other, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0);
    database_commit(other);
    sqlite_driver.close(other);
}

static void a_commit_of_many_pages_is_one_write(void **state)
{
    struct fixture *f = *state;
    insert_bytes(f, 100000); // 25 pages
    writes = 0;
    database_commit(f->db);
    assert_int_equal(writes, 1);
    assert_intact(f, 1);
    database_begin(f->db, true);
}

static void a_long_commit_is_written_in_parts(void **state)
{
    struct fixture *f = *state;
    insert_bytes(f, 1000000); // 246 pages, of which 31 are gathered at a time
    writes = 0;
    database_commit(f->db);
    assert_int_equal(writes, 8);
    assert_intact(f, 1);
    database_begin(f->db, true);
}

static void a_transaction_reads_back_what_left_its_cache(void **state)
{
    struct fixture *f = *state;
    insert_more_than_the_cache_holds(f);
    assert_int_equal(database_number(f->db, "SELECT sum(length(bytes)) FROM things"), 50 * 5000);
    run(f, "UPDATE things SET size = 1"); // writes pages of the log anew
    database_commit(f->db);
    assert_intact(f, 50);
    database_begin(f->db, true);
}

static void what_is_rolled_back_never_overwrites_what_another_connection_commits(void **state)
{
    struct fixture *f = *state;
    insert_more_than_the_cache_holds(f);
    sqlite_driver.rollback(f->db);
    struct db *other = database_open(f->scratch.database, true);
    database_script(other, "INSERT INTO things (bytes) VALUES (zeroblob(1000000))"); // longer than that
    sqlite_driver.close(other);
    database_begin(f->db, true);
    insert_bytes(f, 10);
    database_commit(f->db);
    assert_intact(f, 2);
    database_begin(f->db, true);
}

static int64_t log_bytes(struct fixture *f)
{
    char path[160];
    struct stat file = {0};
    snprintf(path, sizeof(path), "%s-wal", f->scratch.path);
    assert_int_equal(stat(path, &file), 0);
    return file.st_size;
}

static void a_log_that_a_long_reader_made_grow_shrinks_afterwards(void **state)
{
    const int64_t limit_bytes = 67108864;
    struct fixture *f = *state;
    struct db *reader = database_open(f->scratch.database, false);
    database_begin(reader, false);
    assert_int_equal(count_things(reader), 0); // what it sees must stay in the log
    while (log_bytes(f) <= limit_bytes + 1000000) {
        insert_bytes(f, 1000000);
        database_commit(f->db);
        assert_true(f->db->driver->copy_log(f->db));
        database_begin(f->db, true);
    }
    database_commit(f->db);
    database_commit(reader);
    sqlite_driver.close(reader);
    assert_true(f->db->driver->copy_log(f->db));
    database_script(f->db, "INSERT INTO things (size) VALUES (1)"); // begins the log anew
    assert_in_range(log_bytes(f), 1, limit_bytes);
    database_begin(f->db, true);
}

static int64_t database_bytes(struct fixture *f)
{
    struct stat file = {0};
    assert_int_equal(stat(f->scratch.path, &file), 0);
    return file.st_size;
}

// A reader keeps SQLite from copying the whole log, after which it would sync by itself.
static void what_is_copied_ahead_is_synced_too(void **state)
{
    struct fixture *f = *state;
    insert_bytes(f, 1000000);
    database_commit(f->db);
    struct db *reader = database_open(f->scratch.database, false);
    database_begin(reader, false);
    assert_int_equal(count_things(reader), 1);
    database_script(f->db, "INSERT INTO things (size) VALUES (1)");
    struct db *copier = database_open(f->scratch.database, false);
    const int syncs_before = database_syncs;
    assert_true(f->db->driver->copy_log_ahead(copier));
    assert_in_range(database_bytes(f), 1000000, 1100000);
    assert_int_equal(database_syncs, syncs_before + 1);
    database_commit(reader);
    sqlite_driver.close(reader);
    sqlite_driver.close(copier);
    assert_intact(f, 2);
    database_begin(f->db, true);
}

static void a_copy_whose_sync_fails_says_so(void **state)
{
    struct fixture *f = *state;
    insert_bytes(f, 1000000);
    database_commit(f->db);
    struct db *copier = database_open(f->scratch.database, false);
    database_sync_failure = SQLITE_IOERR_FSYNC;
    assert_false(f->db->driver->copy_log_ahead(copier));
    assert_false(f->db->driver->copy_log(f->db));
    database_sync_failure = SQLITE_OK;
    sqlite_driver.close(copier);
    database_begin(f->db, true);
}

static void a_copy_that_cannot_sync_the_log_is_tried_again(void **state)
{
    struct fixture *f = *state;
    insert_bytes(f, 1000000);
    database_commit(f->db);
    sync_failure = SQLITE_IOERR_FSYNC;
    assert_true(f->db->driver->copy_log(f->db));
    assert_in_range(database_bytes(f), 0, 100000);
    sync_failure = SQLITE_OK;
    assert_true(f->db->driver->copy_log(f->db));
    assert_in_range(database_bytes(f), 1000000, 1100000);
    database_begin(f->db, true);
}

static void copy_file(const char *from, const char *to)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

// As a crash leaves them: the database and its log, without the shared index.
static void copy_as_after_a_crash(const struct fixture *f, char path[160])
{
    char from[160];
    char to[192];
    (void)snprintf(path, 160, "%.100s/crashed.db", f->scratch.directory);
    copy_file(f->scratch.path, path);
    (void)snprintf(from, sizeof(from), "%s-wal", f->scratch.path);
    (void)snprintf(to, sizeof(to), "%s-wal", path);
    copy_file(from, to);
}

// The system may show a log of which a part is not on the disk.
static void a_log_that_is_found_is_copied_before_anything_is_written(void **state)
{
    struct fixture *f = *state;
    char path[160];
    char database[176];
    char log[192];
    insert_bytes(f, 100000);
    database_commit(f->db);
    copy_as_after_a_crash(f, path);
    (void)snprintf(database, sizeof(database), "sqlite:%s", path);
    (void)snprintf(log, sizeof(log), "%s-wal", path);
    const int syncs_before = database_syncs;
    struct db *found = database_open(database, true);
    assert_in_range(database_syncs, syncs_before + 1, syncs_before + 2);
    assert_int_equal(truncate(log, 0), 0); // the place of what was found
    struct db *alone = database_open(database, false);
    assert_int_equal(database_committed_number(alone, "SELECT count(*) FROM things"), 1);
    sqlite_driver.close(alone);
    sqlite_driver.close(found);
    database_begin(f->db, true);
}

static void a_log_that_cannot_be_copied_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[160];
    char database[176];
    insert_bytes(f, 100000);
    database_commit(f->db);
    copy_as_after_a_crash(f, path);
    (void)snprintf(database, sizeof(database), "sqlite:%s", path);
    database_sync_failure = SQLITE_IOERR_FSYNC;
    struct db *found = NULL;
    assert_int_equal(sqlite_driver.open(database, true, &found, &f->err), ERR_STORE);
    assert_non_null(strstr(f->err.message, "reading or writing failed"));
    database_sync_failure = SQLITE_OK;
    database_begin(f->db, true);
}

static void check_failed_commit(struct fixture *f, const char *message)
{
    insert_bytes(f, 100000);
    assert_int_equal(f->db->driver->commit(f->db, &f->err), ERR_STORE);
    assert_non_null(strstr(f->err.message, message));
    assert_intact(f, 0);
    write_failure = SQLITE_OK;
    sync_failure = SQLITE_OK;
    database_begin(f->db, true);
    assert_int_equal(count_things(f->db), 0);
    insert(f, 1);
    database_commit(f->db);
    assert_intact(f, 1);
    database_begin(f->db, true);
}

static void a_full_disk_fails_the_commit(void **state)
{
    write_failure = SQLITE_FULL;
    check_failed_commit(*state, "the disk is full");
}

static void a_write_that_fails_fails_the_commit(void **state)
{
    write_failure = SQLITE_IOERR_WRITE;
    check_failed_commit(*state, "reading or writing failed");
}

static void a_sync_that_fails_fails_the_commit(void **state)
{
    sync_failure = SQLITE_IOERR_FSYNC;
    check_failed_commit(*state, "reading or writing failed");
}

static void a_write_that_fails_before_the_commit_ends_the_transaction(void **state)
{
    struct fixture *f = *state;
    run(f, "PRAGMA cache_size = 10");
    write_failure = SQLITE_FULL;
    enum errc rc = OK;
    for (int i = 0; i < 200 && rc == OK; i++) {
        rc = db_run(f->db, NULL, &f->err, "INSERT INTO things (bytes) VALUES (zeroblob(5000))");
    }
    assert_int_equal(rc, ERR_STORE);
    assert_int_equal(f->db->driver->commit(f->db, &f->err), ERR_STORE);
    write_failure = SQLITE_OK;
    database_begin(f->db, true);
    insert(f, 1);
    database_commit(f->db);
    assert_intact(f, 1);
    database_begin(f->db, true);
}

// If the disk is full, SQLite undoes no more than a statement, if that can be undone alone. But what was
// gathered before the statement is lost.
static void a_write_that_fails_as_pages_are_read_back_ends_the_transaction(void **state)
{
    struct fixture *f = *state;
    insert_bytes(f, 1000000);
    database_commit(f->db);
    assert_true(f->db->driver->copy_log(f->db)); // so that the log has old pages where the next ones are lost
    database_begin(f->db, true);
    run(f, "PRAGMA cache_size = 10");
    for (int i = 0; i < 20; i++) {
        insert_bytes(f, 2000);
    }
    write_failure = SQLITE_FULL;
    assert_int_equal(db_run(f->db, NULL, &f->err, "UPDATE things SET bytes = zeroblob(length(bytes) + id)"),
                     ERR_STORE);
    write_failure = SQLITE_OK;
    assert_int_equal(f->db->driver->commit(f->db, &f->err), ERR_STORE);
    assert_intact(f, 1);
    database_begin(f->db, true);
}

#define COUNTED_TEST(name) cmocka_unit_test_setup_teardown(name, setup_counted, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTED_TEST(a_commit_of_many_pages_is_one_write),
        COUNTED_TEST(a_long_commit_is_written_in_parts),
        COUNTED_TEST(a_transaction_reads_back_what_left_its_cache),
        COUNTED_TEST(what_is_rolled_back_never_overwrites_what_another_connection_commits),
        COUNTED_TEST(a_log_that_a_long_reader_made_grow_shrinks_afterwards),
        COUNTED_TEST(what_is_copied_ahead_is_synced_too),
        COUNTED_TEST(a_copy_whose_sync_fails_says_so),
        COUNTED_TEST(a_copy_that_cannot_sync_the_log_is_tried_again),
        COUNTED_TEST(a_log_that_is_found_is_copied_before_anything_is_written),
        COUNTED_TEST(a_log_that_cannot_be_copied_is_refused),
        COUNTED_TEST(a_full_disk_fails_the_commit),
        COUNTED_TEST(a_write_that_fails_fails_the_commit),
        COUNTED_TEST(a_sync_that_fails_fails_the_commit),
        COUNTED_TEST(a_write_that_fails_before_the_commit_ends_the_transaction),
        COUNTED_TEST(a_write_that_fails_as_pages_are_read_back_ends_the_transaction),
    };
    return cmocka_run_group_tests(tests, count_writes, NULL);
}
