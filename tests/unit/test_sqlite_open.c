// How a SQLite database is opened, and in what words it is refused.
#include "database.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534

static void write_file(const char *path, const char *content, size_t bytes)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void refused(const char *database, enum errc code, const char *reason)
{
    struct db *db = NULL;
    struct err err = {0};
    assert_int_equal(sqlite_driver.open(database, true, &db, &err), code);
    assert_null(db);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, reason));
    assert_null(strchr(err.message, '\n'));
}

static void make_table(struct db *db)
{
    database_script(db, "CREATE TABLE IF NOT EXISTS t (a INTEGER) STRICT");
}

static void a_file_that_is_no_database_is_refused_and_left_as_it_was(void **state)
{
    const struct scratch *scratch = *state;
    static const char garbage[8192] = "not a database, and certainly nothing that SQLite would have written";
    const size_t sizes[] = {10, 68, 512, sizeof(garbage)};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_file(scratch->path, garbage, sizes[i]);
        refused(scratch->database, ERR_CONFIG, "it is not a SQLite database");
        struct stat file;
        assert_int_equal(stat(scratch->path, &file), 0);
        assert_int_equal(file.st_size, sizes[i]);
    }
}

static void an_empty_file_becomes_a_database(void **state)
{
    const struct scratch *scratch = *state;
    write_file(scratch->path, "", 0);
    struct db *db = database_open(scratch->database, true);
    make_table(db);
    sqlite_driver.close(db);
}

static void a_directory_is_refused(void **state)
{
    const struct scratch *scratch = *state;
    char database[160];
    snprintf(database, sizeof(database), "sqlite:%s", scratch->directory);
    refused(database, ERR_CONFIG, "it is a directory");
}

static void a_missing_directory_is_named(void **state)
{
    const struct scratch *scratch = *state;
    char database[160];
    snprintf(database, sizeof(database), "sqlite:%s/none/test.db", scratch->directory);
    refused(database, ERR_CONFIG, "/none/: No such file or directory");
}

static void a_name_without_a_path_is_refused(void **state)
{
    (void)state;
    refused("sqlite:", ERR_CONFIG, "sqlite:PATH");
}

// In another process without root's rights, which pass over permissions. True: refused with these words.
static bool refused_to_nobody(const char *database, const char *reason)
{
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0) {
            _exit(2);
        }
        struct db *db = NULL;
        struct err err = {0};
        const enum errc result = sqlite_driver.open(database, true, &db, &err);
        _exit(result == ERR_CONFIG && strstr(err.message, reason) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status == 0;
}

static void missing_permissions_are_named(void **state)
{
    const struct scratch *scratch = *state;
    assert_int_equal(chmod(scratch->directory, 0555), 0);
    assert_true(
        refused_to_nobody(scratch->database, "directory /")); // nothing there yet, and no right to make it
    assert_int_equal(chmod(scratch->directory, 0755), 0);

    struct db *db = database_open(scratch->database, true);
    make_table(db);
    sqlite_driver.close(db);
    assert_int_equal(chmod(scratch->path, 0444), 0);
    assert_true(refused_to_nobody(scratch->database, "Permission denied"));

    assert_int_equal(chmod(scratch->directory, 0777), 0); // where SQLite would open it for reading only
    assert_true(refused_to_nobody(scratch->database, "Permission denied"));

    if (geteuid() == 0) {
        assert_int_equal(chown(scratch->path, NOBODY, NOBODY), 0);
    }
    assert_int_equal(chmod(scratch->path, 0600), 0); // but no log can be made beside it
    assert_int_equal(chmod(scratch->directory, 0555), 0);
    assert_true(refused_to_nobody(scratch->database, "directory /"));
    assert_int_equal(chmod(scratch->directory, 0755), 0);
}

static void a_database_that_others_may_read_is_refused(void **state)
{
    const struct scratch *scratch = *state;
    struct db *db = database_open(scratch->database, true);
    make_table(db);
    sqlite_driver.close(db);
    static const mode_t modes[] = {0640, 0604, 0660, 0602, 0610};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(scratch->path, modes[i]), 0);
        refused(scratch->database, ERR_CONFIG, "is accessible to other users: run chmod 600 on it");
        struct err err = {0};
        assert_int_equal(sqlite_driver.look(scratch->database, &db, &err), ERR_CONFIG);
    }
    assert_int_equal(chmod(scratch->path, 0600), 0);
    char log[160];
    snprintf(log, sizeof(log), "%s-wal", scratch->path);
    write_file(log, "", 0);
    assert_int_equal(chmod(log, 0644), 0);
    refused(scratch->database, ERR_CONFIG, "-wal is accessible to other users");
}

static void a_database_with_a_second_name_is_refused(void **state)
{
    const struct scratch *scratch = *state;
    struct db *db = database_open(scratch->database, true);
    make_table(db);
    sqlite_driver.close(db);
    char second[160];
    snprintf(second, sizeof(second), "%s.second", scratch->path);
    assert_int_equal(link(scratch->path, second), 0);
    refused(scratch->database, ERR_CONFIG, "has a second name");
    assert_int_equal(unlink(second), 0);
    db = database_open(scratch->database, true);
    sqlite_driver.close(db);
}

static void a_new_database_and_its_log_are_the_owners_alone(void **state)
{
    const struct scratch *scratch = *state;
    const mode_t before = umask(0);
    struct db *db = database_open(scratch->database, true);
    make_table(db);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char path[160];
        struct stat file;
        snprintf(path, sizeof(path), "%s%s", scratch->path, ends[i]);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
    assert_int_equal(umask(before), 0); // as it was
    sqlite_driver.close(db);
}

static void a_name_that_sqlite_treats_specially_is_a_file(void **state)
{
    const struct scratch *scratch = *state;
    const int here = open(".", O_RDONLY | O_DIRECTORY);
    assert_int_equal(chdir(scratch->directory), 0);
    struct db *db = database_open("sqlite::memory:", true);
    assert_int_equal(access(":memory:", F_OK), 0);
    sqlite_driver.close(db);
    assert_int_equal(fchdir(here), 0);
    close(here);
}

static void a_reader_makes_no_database(void **state)
{
    const struct scratch *scratch = *state;
    struct db *db = NULL;
    struct err err = {0};
    assert_int_equal(sqlite_driver.open(scratch->database, false, &db, &err), ERR_CONFIG);
    assert_int_equal(access(scratch->path, F_OK), -1);
}

static void expect_setting(struct db *db, const char *sql, int64_t value)
{
    assert_int_equal(database_number(db, sql), value);
}

static void commits_reach_the_disk_and_references_exist(void **state)
{
    const struct scratch *scratch = *state;
    for (int writable = 1; writable >= 0; writable--) {
        struct db *db = database_open(scratch->database, writable == 1);
        database_begin(db, false);
        expect_setting(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1);
        expect_setting(db, "PRAGMA synchronous", 2); // FULL
        expect_setting(db, "PRAGMA foreign_keys", 1);
        expect_setting(db, "PRAGMA trusted_schema", 0);
        expect_setting(db, "PRAGMA mmap_size", 0);
        sqlite_driver.rollback(db);
        sqlite_driver.close(db);
    }
}

static void only_one_server_claims_a_database(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = {0};
    int claim = -1;
    int second = -1;
    assert_int_equal(sqlite_driver.claim(scratch->database, &claim, &err), OK);
    assert_int_equal(sqlite_driver.claim(scratch->database, &second, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "another paymentsd is serving this database"));
    assert_int_equal(second, -1);
    close(claim);
    assert_int_equal(sqlite_driver.claim(scratch->database, &second, &err), OK);
    close(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_no_database_is_refused_and_left_as_it_was),
        TEST(an_empty_file_becomes_a_database),
        TEST(a_directory_is_refused),
        TEST(a_missing_directory_is_named),
        TEST(a_name_without_a_path_is_refused),
        TEST(missing_permissions_are_named),
        TEST(a_database_that_others_may_read_is_refused),
        TEST(a_database_with_a_second_name_is_refused),
        TEST(a_new_database_and_its_log_are_the_owners_alone),
        TEST(a_name_that_sqlite_treats_specially_is_a_file),
        TEST(a_reader_makes_no_database),
        TEST(commits_reach_the_disk_and_references_exist),
        TEST(only_one_server_claims_a_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
