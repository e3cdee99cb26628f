// Which jobs share a transaction's fate: run directly, without threads.
#include "database_fixture.h"
#include "fake_loop.h"

#include "store/batch.h"

// Nothing here asks for the time, random bits or keys.
static const struct batch_source source = {.loop = NULL};

// Inserts `id`, then does what `then` says.
struct insert {
    struct store_job job;
    int64_t id;
    enum { THEN_OK, THEN_REFUSE, THEN_ORPHAN, THEN_FILL_DISK, THEN_IGNORE_FULL_DISK, THEN_MEET_DAMAGE } then;
    int64_t seen; // rows there were before
};

static int64_t count_rows(struct db *db)
{
    return database_number(db, "SELECT count(*) FROM things");
}

static enum errc insert_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct insert *insert = CONTAINER_OF(job, struct insert, job);
    insert->seen = count_rows(tx->db);
    const enum errc result =
        db_run(tx->db, NULL, err, "INSERT INTO things (id) VALUES ($1)", DB_I64(insert->id));
    if (result != OK) {
        return result;
    }
    switch (insert->then) {
    case THEN_OK:
        return OK;
    case THEN_REFUSE:
        return err_set(err, ERR_CONFLICT, "not now");
    case THEN_ORPHAN: // only the commit notices
        return db_run(tx->db, NULL, err, "INSERT INTO parts VALUES (99)");
    case THEN_FILL_DISK:
        return db_run(tx->db, NULL, err, "INSERT INTO things (bytes) VALUES (zeroblob(200000))");
    case THEN_IGNORE_FULL_DISK: {
        const enum errc ignored =
            db_run(tx->db, NULL, NULL, "INSERT INTO things (bytes) VALUES (zeroblob(200000))");
        return ignored == ERR_STORE ? OK : ERR_CONFLICT;
    }
    case THEN_MEET_DAMAGE: {
        DB_ROWS(rows);
        bool has = false;
        assert_int_equal(db_query(tx->db, &rows, err, "SELECT x'00' AS part"), OK);
        assert_int_equal(db_next(&rows, &has, err), OK);
        const struct uuid id = db_uuid(&rows, 0);
        assert_true(uuid_is_nil(&id));
        assert_int_equal(db_run(tx->db, NULL, NULL, "DELETE FROM things"),
                         ERR_STORE); // not with what was read
        return OK;                   // as if nothing had happened
    }
    }
    REQUIRE(!"no such case");
    return OK;
}

static void add(struct list *jobs, struct insert *insert, int64_t id, int then)
{
    *insert = (struct insert){
        .job = {.queue = STORE_WRITE, .run = insert_run, .now_us = 1}, .id = id, .then = then};
    list_append(jobs, &insert->job.task.link);
}

static int setup_things(void **state)
{
    *state = fixture_new("CREATE TABLE things (id INTEGER PRIMARY KEY, bytes BLOB) STRICT;"
                         "CREATE TABLE parts (thing INTEGER REFERENCES things(id)"
                         " DEFERRABLE INITIALLY DEFERRED) STRICT;");
    return 0;
}

static int teardown_things(void **state)
{
    fixture_free(*state);
    return 0;
}

// As another connection sees them: committed.
static int64_t durable_rows(const struct fixture *f)
{
    struct db *db = database_open(f->scratch.database, false);
    const int64_t count = database_committed_number(db, "SELECT count(*) FROM things");
    sqlite_driver.close(db);
    return count;
}

static void limit_disk(const struct fixture *f, const char *sql)
{
    database_begin(f->db, false);
    database_run(f->db, sql);
    database_commit(f->db);
}

static void a_job_that_meets_damage_fails_alone_whatever_it_says(void **state)
{
    struct fixture *fixture = *state;
    struct list jobs;
    struct insert inserts[3];
    list_init(&jobs);
    add(&jobs, &inserts[0], 1, THEN_OK);
    add(&jobs, &inserts[1], 2, THEN_MEET_DAMAGE);
    add(&jobs, &inserts[2], 3, THEN_OK);
    batch_write(&source, fixture->db, &jobs);
    assert_int_equal(inserts[0].job.result, OK);
    assert_int_equal(inserts[1].job.result, ERR_STORE);
    assert_string_equal(inserts[1].job.err.message,
                        "database: the file is damaged (a value in the column part)");
    assert_int_equal(inserts[2].job.result, OK);
    assert_int_equal(durable_rows(fixture), 2);
}

static void a_failing_job_undoes_only_itself(void **state)
{
    struct fixture *fixture = *state;
    struct list jobs;
    struct insert inserts[5];
    list_init(&jobs);
    add(&jobs, &inserts[0], 1, THEN_OK);
    add(&jobs, &inserts[1], 2, THEN_REFUSE);
    add(&jobs, &inserts[2], 1, THEN_OK); // is there already
    add(&jobs, &inserts[3], 2, THEN_OK); // was undone
    add(&jobs, &inserts[4], 3, THEN_REFUSE);
    batch_write(&source, fixture->db, &jobs);
    const enum errc expected[] = {OK, ERR_CONFLICT, ERR_EXISTS, OK, ERR_CONFLICT};
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        assert_int_equal(inserts[i].job.result, expected[i]);
    }
    assert_string_equal(inserts[1].job.err.message, "not now");
    assert_int_equal(inserts[3].seen, 1);
    assert_int_equal(durable_rows(fixture), 2);
}

static void a_failing_job_alone_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct list jobs;
    struct insert insert;
    list_init(&jobs);
    add(&jobs, &insert, 1, THEN_REFUSE);
    batch_write(&source, fixture->db, &jobs);
    assert_int_equal(insert.job.result, ERR_CONFLICT);
    assert_int_equal(durable_rows(fixture), 0);

    list_init(&jobs);
    add(&jobs, &insert, 1, THEN_OK);
    batch_write(&source, fixture->db, &jobs);
    assert_int_equal(insert.job.result, OK);
    assert_int_equal(durable_rows(fixture), 1);
}

// Three jobs, the one in the middle as given: none may be kept, and the next batch is none the worse.
static void expect_all_lost(struct fixture *fixture, int then, const char *reason)
{
    struct list jobs;
    struct insert inserts[3];
    list_init(&jobs);
    add(&jobs, &inserts[0], 1, THEN_OK);
    add(&jobs, &inserts[1], 2, then);
    add(&jobs, &inserts[2], 3, THEN_REFUSE);
    batch_write(&source, fixture->db, &jobs);
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        assert_int_equal(inserts[i].job.result, ERR_STORE);
        assert_int_equal(inserts[i].job.err.code, ERR_STORE);
        assert_non_null(strstr(inserts[i].job.err.message, reason));
    }
    assert_int_equal(durable_rows(fixture), 0);

    list_init(&jobs);
    add(&jobs, &inserts[0], 1, THEN_OK);
    add(&jobs, &inserts[1], 2, THEN_OK);
    batch_write(&source, fixture->db, &jobs);
    assert_int_equal(inserts[0].job.result, OK);
    assert_int_equal(inserts[1].job.result, OK);
    assert_int_equal(durable_rows(fixture), 2);
}

static void a_commit_that_fails_fails_every_job(void **state)
{
    expect_all_lost(*state, THEN_ORPHAN, "FOREIGN KEY");
}

static void a_full_disk_fails_every_job(void **state)
{
    limit_disk(*state, "PRAGMA max_page_count = 30");
    expect_all_lost(*state, THEN_FILL_DISK, "the disk is full");
}

static void a_job_that_ignores_a_full_disk_does_not_write_outside_the_transaction(void **state)
{
    limit_disk(*state, "PRAGMA max_page_count = 30");
    expect_all_lost(*state, THEN_IGNORE_FULL_DISK, "an earlier failure has ended the transaction");
}

static void a_commit_that_fails_for_a_job_alone_is_its_failure(void **state)
{
    struct fixture *fixture = *state;
    const int reasons[] = {THEN_ORPHAN, THEN_FILL_DISK, THEN_IGNORE_FULL_DISK};
    limit_disk(fixture, "PRAGMA max_page_count = 30");
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        struct list jobs;
        struct insert insert;
        list_init(&jobs);
        add(&jobs, &insert, 1, reasons[i]);
        batch_write(&source, fixture->db, &jobs);
        assert_int_equal(insert.job.result, ERR_STORE);
        assert_int_equal(insert.job.err.code, ERR_STORE);
        assert_int_equal(durable_rows(fixture), 0);
    }
}

// Counts the rows, then does what `then` says.
struct count {
    struct store_job job;
    enum { COUNT_OK, COUNT_REFUSE, COUNT_LOSE_TRANSACTION, COUNT_SLOWLY } then;
    int64_t counted;
    struct fake_loop *loop;
};

static enum errc count_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct count *count = CONTAINER_OF(job, struct count, job);
    count->counted = count_rows(tx->db);
    switch (count->then) {
    case COUNT_OK:
        return OK;
    case COUNT_REFUSE:
        return err_set(err, ERR_CONFLICT, "not now");
    case COUNT_LOSE_TRANSACTION: // as a failed read of the disk does
        assert_int_equal(db_run(tx->db, NULL, err, "ROLLBACK"), OK);
        return err_set(err, ERR_STORE, "cannot read");
    case COUNT_SLOWLY:
        count->loop->mono_us += 1000;
        return OK;
    }
    REQUIRE(!"no such case");
    return OK;
}

static void add_count(struct list *jobs, struct fake_loop *loop, struct count *count, int then)
{
    *count = (struct count){
        .job = {.queue = STORE_READ, .run = count_run, .now_us = 1}, .then = then, .loop = loop};
    list_append(jobs, &count->job.task.link);
}

struct reading {
    struct fake_loop loop;
    struct batch_source source;
    struct db *db;
    struct list jobs;
    struct list finished;
};

static void open_reading(struct reading *reading, const struct fixture *fixture)
{
    fake_loop_init(&reading->loop, 0);
    reading->source = (struct batch_source){.loop = &reading->loop.base};
    reading->db = database_open(fixture->scratch.database, false);
    list_init(&reading->jobs);
    list_init(&reading->finished);
}

static void a_read_that_fails_does_not_reach_those_beside_it(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading;
    struct count counts[4];
    const int thens[] = {COUNT_OK, COUNT_REFUSE, COUNT_LOSE_TRANSACTION, COUNT_OK};
    const enum errc expected[] = {OK, ERR_CONFLICT, ERR_STORE, OK};
    open_reading(&reading, fixture);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        add_count(&reading.jobs, &reading.loop, &counts[i], thens[i]);
    }
    assert_int_equal(batch_read(&reading.source, reading.db, &reading.jobs, &reading.finished), 4);
    assert_true(list_empty(&reading.jobs));
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        assert_int_equal(counts[i].job.result, expected[i]);
    }
    assert_string_equal(counts[1].job.err.message, "not now");
    assert_string_equal(counts[2].job.err.message, "cannot read");
    sqlite_driver.close(reading.db);
}

static void reads_see_what_was_committed_before_they_began_together(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading;
    struct count counts[2];
    open_reading(&reading, fixture);
    for (int64_t i = 0; i < 3; i++) {
        struct list writes;
        struct insert insert;
        list_init(&writes);
        add(&writes, &insert, i, THEN_OK);
        batch_write(&source, fixture->db, &writes);
        add_count(&reading.jobs, &reading.loop, &counts[0], COUNT_OK);
        add_count(&reading.jobs, &reading.loop, &counts[1], COUNT_OK);
        assert_int_equal(batch_read(&reading.source, reading.db, &reading.jobs, &reading.finished), 2);
        assert_int_equal(counts[0].counted, i + 1);
        assert_int_equal(counts[1].counted, i + 1);
        list_init(&reading.finished);
    }
    sqlite_driver.close(reading.db);
}

static void reads_behind_a_slow_one_are_left_to_others(void **state)
{
    struct reading reading;
    struct count counts[3];
    open_reading(&reading, *state);
    add_count(&reading.jobs, &reading.loop, &counts[0], COUNT_OK);
    add_count(&reading.jobs, &reading.loop, &counts[1], COUNT_SLOWLY);
    add_count(&reading.jobs, &reading.loop, &counts[2], COUNT_OK);
    assert_int_equal(batch_read(&reading.source, reading.db, &reading.jobs, &reading.finished), 2);
    assert_ptr_equal(reading.jobs.next, &counts[2].job.task.link);
    assert_ptr_equal(reading.finished.prev, &counts[1].job.task.link);
    sqlite_driver.close(reading.db);
}

#define THINGS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_things, teardown_things)

int main(void)
{
    const struct CMUnitTest tests[] = {
        THINGS_TEST(a_job_that_meets_damage_fails_alone_whatever_it_says),
        THINGS_TEST(a_failing_job_undoes_only_itself),
        THINGS_TEST(a_failing_job_alone_leaves_nothing),
        THINGS_TEST(a_commit_that_fails_fails_every_job),
        THINGS_TEST(a_full_disk_fails_every_job),
        THINGS_TEST(a_job_that_ignores_a_full_disk_does_not_write_outside_the_transaction),
        THINGS_TEST(a_commit_that_fails_for_a_job_alone_is_its_failure),
        THINGS_TEST(a_read_that_fails_does_not_reach_those_beside_it),
        THINGS_TEST(reads_see_what_was_committed_before_they_began_together),
        THINGS_TEST(reads_behind_a_slow_one_are_left_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
