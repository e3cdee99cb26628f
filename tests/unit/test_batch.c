// Which jobs share a transaction's fate: run directly, without threads.
#include "batch_all.h"
#include "database_fixture.h"

#include "store/batch.h"

#define RUNS_MAX 4 // PostgreSQL runs a job that meets another's row again, the last two times alone

// Nothing here asks for the time, random bits or keys.
static const struct batch_source source = {.loop = NULL};

// Counts the rows, inserts `id`, then does what `then` says.
struct insert {
    struct store_job job;
    int64_t id;
    enum { THEN_OK, THEN_REFUSE, THEN_ORPHAN, THEN_FILL_DISK, THEN_IGNORE_FULL_DISK, THEN_MEET_DAMAGE } then;
    bool refuse_at_once; // before anything is written
    int64_t seen;        // rows there were before
    int runs;
    struct event_lease leases[RUNS_MAX]; // one for each run
};

// Fails where an earlier job has lost the transaction.
static enum errc read_count(struct db *db, int64_t *count, struct err *err)
{
    DB_ROWS(rows);
    const enum errc rc = db_one(db, &rows, "no count", err, "SELECT count(*) FROM things");
    *count = rc == OK ? db_i64(&rows, 0) : -1;
    return rc;
}

static enum errc insert_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct insert *insert = CONTAINER_OF(job, struct insert, job);
    assert_in_range(insert->runs, 0, RUNS_MAX - 1);
    tx->leases = &insert->leases[insert->runs++];
    enum errc result = read_count(tx->db, &insert->seen, err);
    if (result != OK) {
        return result;
    }
    if (insert->refuse_at_once) {
        return err_set(err, ERR_CONFLICT, "not at all");
    }
    result = db_run(tx->db, NULL, err, "INSERT INTO things (id) VALUES ($1)", DB_I64(insert->id));
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
    db->driver->close(db);
    return count;
}

static void empty(const struct fixture *f)
{
    database_begin(f->db, true);
    database_run(f->db, "DELETE FROM things");
    database_commit(f->db);
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
    batch_all(&source, fixture->db, &jobs);
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
    batch_all(&source, fixture->db, &jobs);
    const enum errc expected[] = {OK, ERR_CONFLICT, ERR_EXISTS, OK, ERR_CONFLICT};
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        assert_int_equal(inserts[i].job.result, expected[i]);
    }
    assert_string_equal(inserts[1].job.err.message, "not now");
    assert_int_equal(inserts[3].seen, 1);
    assert_int_equal(durable_rows(fixture), 2);
}

// Runs a batch of four jobs, and expects how often each ran. True in `refused`: the job fails after it wrote.
static void expect_runs(struct fixture *fixture, const bool refused[4], const int runs[4])
{
    struct list jobs;
    struct insert inserts[4];
    const int64_t before = durable_rows(fixture);
    int64_t kept = 0;
    list_init(&jobs);
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        add(&jobs, &inserts[i], before + (int64_t)i, refused[i] ? THEN_REFUSE : THEN_OK);
    }
    batch_all(&source, fixture->db, &jobs);
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        assert_int_equal(inserts[i].job.result, refused[i] ? ERR_CONFLICT : OK);
        assert_int_equal(inserts[i].runs, runs[i]);
        assert_int_equal(inserts[i].seen, before + kept);
        kept += !refused[i];
    }
    assert_int_equal(durable_rows(fixture), before + kept);
    empty(fixture);
}

static void if_a_job_fails_after_it_wrote_those_before_it_run_again(void **state)
{
    expect_runs(*state, (const bool[]){false, true, false, false}, (const int[]){2, 2, 1, 1});
}

static void two_jobs_that_fail_after_they_wrote_make_others_run_again_once(void **state)
{
    expect_runs(*state, (const bool[]){false, true, false, true}, (const int[]){2, 2, 1, 1});
}

static void after_such_a_failure_the_next_batch_runs_once(void **state)
{
    const bool none[4] = {false};
    const int once[4] = {1, 1, 1, 1};
    const bool third[4] = {false, false, true, false};
    const int third_again[4] = {2, 2, 2, 1};
    expect_runs(*state, third, third_again);
    expect_runs(*state, third, once);
    expect_runs(*state, third, once);
    expect_runs(*state, none, once);
    expect_runs(*state, third, third_again);
    expect_runs(*state, none, once);
    expect_runs(*state, none, once);
}

static void if_a_job_fails_before_it_writes_none_runs_again(void **state)
{
    struct fixture *fixture = *state;
    struct list jobs;
    struct insert inserts[3];
    list_init(&jobs);
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        add(&jobs, &inserts[i], (int64_t)i, THEN_OK);
    }
    inserts[1].refuse_at_once = true;
    batch_all(&source, fixture->db, &jobs);
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        assert_int_equal(inserts[i].job.result, i == 1 ? ERR_CONFLICT : OK);
        assert_int_equal(inserts[i].runs, 1);
    }
    assert_int_equal(durable_rows(fixture), 2);
}

static void forget(struct store_job *job)
{
    (void)job;
}

struct ended {
    const struct event_lease *lease;
    bool committed;
};

static void note_ended(void *context, struct event_lease *lease, bool committed)
{
    struct ended **next = context;
    *(*next)++ = (struct ended){lease, committed};
}

static void leases_of_a_run_that_was_undone_are_ended(void **state)
{
    struct fixture *fixture = *state;
    struct list jobs;
    struct insert inserts[2];
    struct ended ended[5] = {0};
    struct ended *next = ended;
    const struct store_listener listener = {.events = {.lease_ended = note_ended, .context = &next}};
    list_init(&jobs);
    add(&jobs, &inserts[0], 1, THEN_OK);
    add(&jobs, &inserts[1], 2, THEN_REFUSE);
    batch_all(&source, fixture->db, &jobs);
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        inserts[i].job.done = forget;
        batch_finish(&inserts[i].job, &listener);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_ptr_equal(ended[i].lease, &inserts[i / 2].leases[i % 2]);
        assert_int_equal(ended[i].committed, i == 1);
    }
    assert_null(ended[4].lease);
}

static void a_failing_job_alone_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct list jobs;
    struct insert insert;
    list_init(&jobs);
    add(&jobs, &insert, 1, THEN_REFUSE);
    batch_all(&source, fixture->db, &jobs);
    assert_int_equal(insert.job.result, ERR_CONFLICT);
    assert_int_equal(durable_rows(fixture), 0);

    list_init(&jobs);
    add(&jobs, &insert, 1, THEN_OK);
    batch_all(&source, fixture->db, &jobs);
    assert_int_equal(insert.job.result, OK);
    assert_int_equal(durable_rows(fixture), 1);
}

// Three jobs, the second and third as given: none may be kept, and the next batch is none the worse.
static void expect_all_lost(struct fixture *fixture, int then, int last, const char *reason)
{
    struct list jobs;
    struct insert inserts[3];
    list_init(&jobs);
    add(&jobs, &inserts[0], 1, THEN_OK);
    add(&jobs, &inserts[1], 2, then);
    add(&jobs, &inserts[2], 3, last);
    batch_all(&source, fixture->db, &jobs);
    for (size_t i = 0; i < COUNT_OF(inserts); i++) {
        assert_int_equal(inserts[i].job.result, ERR_STORE);
        assert_int_equal(inserts[i].job.err.code, ERR_STORE);
        assert_non_null(strcasestr(inserts[i].job.err.message, reason));
    }
    assert_int_equal(durable_rows(fixture), 0);

    list_init(&jobs);
    add(&jobs, &inserts[0], 1, THEN_OK);
    add(&jobs, &inserts[1], 2, THEN_OK);
    batch_all(&source, fixture->db, &jobs);
    assert_int_equal(inserts[0].job.result, OK);
    assert_int_equal(inserts[1].job.result, OK);
    assert_int_equal(durable_rows(fixture), 2);
}

static void a_commit_that_fails_fails_every_job(void **state)
{
    expect_all_lost(*state, THEN_ORPHAN, THEN_OK, "foreign key constraint");
    empty(*state);
    expect_all_lost(*state, THEN_ORPHAN, THEN_REFUSE, "foreign key constraint");
}

static void a_full_disk_fails_every_job(void **state)
{
    limit_disk(*state, "PRAGMA max_page_count = 30");
    expect_all_lost(*state, THEN_FILL_DISK, THEN_REFUSE, "the disk is full");
}

static void a_job_that_ignores_a_full_disk_does_not_write_outside_the_transaction(void **state)
{
    limit_disk(*state, "PRAGMA max_page_count = 30");
    expect_all_lost(*state, THEN_IGNORE_FULL_DISK, THEN_REFUSE,
                    "an earlier failure has ended the transaction");
}

static void expect_lost_alone(struct fixture *fixture, int then)
{
    struct list jobs;
    struct insert insert;
    list_init(&jobs);
    add(&jobs, &insert, 1, then);
    batch_all(&source, fixture->db, &jobs);
    assert_int_equal(insert.job.result, ERR_STORE);
    assert_int_equal(insert.job.err.code, ERR_STORE);
    assert_int_equal(durable_rows(fixture), 0);
}

static void a_commit_that_fails_for_a_job_alone_is_its_failure(void **state)
{
    expect_lost_alone(*state, THEN_ORPHAN);
}

static void a_full_disk_for_a_job_alone_is_its_failure(void **state)
{
    limit_disk(*state, "PRAGMA max_page_count = 30");
    expect_lost_alone(*state, THEN_FILL_DISK);
    expect_lost_alone(*state, THEN_IGNORE_FULL_DISK);
}

#define FILE_IS_LIMITED "a test of the API fills PostgreSQL's disk"
#define THINGS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_things, teardown_things)

int main(void)
{
    const struct CMUnitTest tests[] = {
        THINGS_TEST(a_job_that_meets_damage_fails_alone_whatever_it_says),
        THINGS_TEST(a_failing_job_undoes_only_itself),
        THINGS_TEST(if_a_job_fails_after_it_wrote_those_before_it_run_again),
        THINGS_TEST(two_jobs_that_fail_after_they_wrote_make_others_run_again_once),
        THINGS_TEST(after_such_a_failure_the_next_batch_runs_once),
        THINGS_TEST(if_a_job_fails_before_it_writes_none_runs_again),
        THINGS_TEST(leases_of_a_run_that_was_undone_are_ended),
        THINGS_TEST(a_failing_job_alone_leaves_nothing),
        THINGS_TEST(a_commit_that_fails_fails_every_job),
        THINGS_TEST(a_commit_that_fails_for_a_job_alone_is_its_failure),
        ONLY_SQLITE(FILE_IS_LIMITED, THINGS_TEST(a_full_disk_fails_every_job)),
        ONLY_SQLITE(FILE_IS_LIMITED,
                    THINGS_TEST(a_job_that_ignores_a_full_disk_does_not_write_outside_the_transaction)),
        ONLY_SQLITE(FILE_IS_LIMITED, THINGS_TEST(a_full_disk_for_a_job_alone_is_its_failure)),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
