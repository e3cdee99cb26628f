// Reads that are asked ahead of a batch: every job sees what those before it wrote, as if it had read by
// itself.
#include "batch_all.h"
#include "database_fixture.h"

#include <pthread.h>
#include <time.h>

#include "store/batch.h"
#include "store/driver.h"

static const struct batch_source source = {.loop = NULL};

static int64_t runs; // so far

// Adds one to a row's number, after it has asked ahead what that is.
struct addition {
    struct store_job job;
    int64_t id;
    int64_t seen;
    bool is_asked; // ahead
    int64_t run;   // which one it was
    char lock_timeout[16];
};

// "": the database has none.
static enum errc read_lock_timeout(struct db *db, char text[16], struct err *err)
{
    DB_ROWS(rows);
    if (!db->driver->is_shared) {
        return OK;
    }
    const enum errc rc =
        db_one(db, &rows, "no setting", err, "SELECT CAST(current_setting('lock_timeout') AS TEXT)");
    if (rc == OK) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        (void)snprintf(text, 16, "%s", db_text(&rows, 0, &arena));
    }
    return rc;
}

static enum errc read_number(struct db *db, int64_t id, int64_t *number, struct err *err)
{
    DB_ROWS(rows);
    const enum errc rc =
        db_one(db, &rows, "no row", err, "SELECT number FROM things WHERE id = $1" LOCKED, DB_I64(id));
    *number = rc == OK ? db_i64(&rows, 0) : -1;
    return rc;
}

static void ask_number(struct store_job *job, struct tx *tx)
{
    struct addition *addition = CONTAINER_OF(job, struct addition, job);
    struct err ignored;
    addition->is_asked = true;
    db_asked(read_number(tx->db, addition->id, &addition->seen, &ignored));
    assert_int_equal(addition->seen, -1);
}

static enum errc add_one(struct store_job *job, struct tx *tx, struct err *err)
{
    struct addition *addition = CONTAINER_OF(job, struct addition, job);
    enum errc rc = read_number(tx->db, addition->id, &addition->seen, err);
    if (rc == OK) {
        rc = db_run(tx->db, NULL, err, "UPDATE things SET number = $2 WHERE id = $1", DB_I64(addition->id),
                    DB_I64(addition->seen + 1));
    }
    int64_t written = 0;
    if (rc == OK) {
        rc = read_number(tx->db, addition->id, &written, err);
        assert_int_equal(written, addition->seen + 1); // an answer is given out once
    }
    addition->run = ++runs;
    return rc == OK ? read_lock_timeout(tx->db, addition->lock_timeout, err) : rc;
}

static void add(struct list *jobs, struct addition *addition, int64_t id, bool asks)
{
    *addition = (struct addition){.job = {.queue = STORE_WRITE,
                                          .run = add_one,
                                          .ahead = asks ? ask_number : NULL,
                                          .subject = {{(uint8_t)id}},
                                          .now_us = 1},
                                  .id = id};
    list_append(jobs, &addition->job.task.link);
}

static int setup_things(void **state)
{
    *state = fixture_new("CREATE TABLE things (id INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT;"
                         "INSERT INTO things (id, number) VALUES (1, 10), (2, 20);");
    return 0;
}

static int teardown_things(void **state)
{
    fixture_free(*state);
    return 0;
}

static void run(struct fixture *f, struct list *jobs)
{
    batch_all(&source, f->db, jobs);
    LIST_EACH_SAFE(jobs, link, after)
    {
        struct addition *addition = CONTAINER_OF(link, struct addition, job.task.link);
        assert_int_equal(addition->job.result, OK);
    }
}

static bool is_server(const struct fixture *f)
{
    return f->db->driver->is_shared;
}

static void jobs_about_different_subjects_all_ask_ahead(void **state)
{
    struct fixture *f = *state;
    struct addition additions[2];
    struct list jobs;
    list_init(&jobs);
    add(&jobs, &additions[0], 1, true);
    add(&jobs, &additions[1], 2, true);
    run(f, &jobs);
    assert_int_equal(additions[0].is_asked, is_server(f));
    assert_int_equal(additions[1].is_asked, is_server(f));
    assert_int_equal(additions[0].seen, 10);
    assert_int_equal(additions[1].seen, 20);
}

static void of_jobs_about_one_subject_only_the_first_asks_ahead(void **state)
{
    struct fixture *f = *state;
    struct addition additions[3];
    struct list jobs;
    list_init(&jobs);
    for (size_t i = 0; i < COUNT_OF(additions); i++) {
        add(&jobs, &additions[i], 1, true);
    }
    run(f, &jobs);
    assert_int_equal(additions[0].is_asked, is_server(f));
    assert_false(additions[1].is_asked);
    assert_int_equal(additions[0].seen, 10);
    assert_int_equal(additions[1].seen, 11);
    assert_int_equal(additions[2].seen, 12);
}

static void what_a_job_without_a_subject_wrote_is_read_after_it(void **state)
{
    struct fixture *f = *state;
    struct addition additions[2];
    struct list jobs;
    list_init(&jobs);
    add(&jobs, &additions[0], 1, false);
    add(&jobs, &additions[1], 1, true);
    run(f, &jobs);
    assert_int_equal(additions[1].is_asked, is_server(f));
    assert_int_equal(additions[0].seen, 10);
    assert_int_equal(additions[1].seen, 11);
}

static void a_job_alone_asks_ahead(void **state)
{
    struct fixture *f = *state;
    struct addition addition;
    struct list jobs;
    list_init(&jobs);
    add(&jobs, &addition, 2, true);
    run(f, &jobs);
    assert_int_equal(addition.is_asked, is_server(f));
    assert_int_equal(addition.seen, 20);
}

static void a_question_that_fails_fails_no_other_job(void **state)
{
    struct fixture *f = *state;
    struct addition additions[2];
    struct list jobs;
    list_init(&jobs);
    add(&jobs, &additions[0], 3, true); // there is no such row
    add(&jobs, &additions[1], 2, true);
    batch_all(&source, f->db, &jobs);
    assert_int_equal(additions[0].job.result, ERR_NOT_FOUND);
    assert_int_equal(additions[1].job.result, OK);
    assert_int_equal(additions[1].seen, 20);
}

// So two connections lock in the same order.
static void jobs_run_in_the_order_of_their_subjects(void **state)
{
    struct fixture *f = *state;
    struct addition additions[3];
    struct list jobs;
    list_init(&jobs);
    add(&jobs, &additions[0], 2, true);
    add(&jobs, &additions[1], 1, true);
    add(&jobs, &additions[2], 2, true);
    run(f, &jobs);
    assert_int_equal(additions[1].run < additions[0].run, is_server(f));
    assert_true(additions[0].run < additions[2].run);
    assert_int_equal(additions[2].seen, 21);
}

// A job alone waits for others as long as they take: it holds nothing that they want before what it waits
// for.
static void only_jobs_that_share_a_transaction_wait_briefly_for_locks(void **state)
{
    struct fixture *f = *state;
    struct addition additions[3];
    struct list jobs;
    list_init(&jobs);
    add(&jobs, &additions[0], 1, true);
    add(&jobs, &additions[1], 2, true);
    run(f, &jobs);
    list_init(&jobs);
    add(&jobs, &additions[2], 1, true);
    run(f, &jobs);
    assert_string_equal(additions[0].lock_timeout, is_server(f) ? "100ms" : "");
    assert_string_equal(additions[2].lock_timeout, is_server(f) ? "2s" : "");
}

// Another connection that has locked a row, and lets go of it after HELD_MS.
struct holder {
    struct db *db;
    pthread_t thread;
};
#define HELD_MS 600 // longer than a batch waits, twice

static void *let_go(void *argument)
{
    const struct holder *holder = argument;
    const struct timespec time = {.tv_nsec = HELD_MS * 1000 * 1000};
    (void)nanosleep(&time, NULL);
    holder->db->driver->rollback(holder->db);
    return NULL;
}

static void hold(const struct fixture *f, struct holder *holder, int64_t id)
{
    int64_t number = 0;
    assert_int_equal(f->db->driver->open(f->scratch.database, true, &holder->db, NULL), OK);
    assert_int_equal(holder->db->driver->begin(holder->db, true, NULL), OK);
    assert_int_equal(read_number(holder->db, id, &number, NULL), OK);
    assert_int_equal(pthread_create(&holder->thread, NULL, let_go, holder), 0);
}

static void release(struct holder *holder)
{
    assert_int_equal(pthread_join(holder->thread, NULL), 0);
    holder->db->driver->close(holder->db);
}

static void a_job_that_waited_in_a_batch_waits_for_longer_alone(void **state)
{
    struct fixture *f = *state;
    struct addition additions[2];
    struct holder holder;
    struct list jobs;
    if (!is_server(f)) {
        return; // there is one writer
    }
    list_init(&jobs);
    add(&jobs, &additions[0], 1, true);
    add(&jobs, &additions[1], 2, true);
    hold(f, &holder, 2);
    batch_all(&source, f->db, &jobs);
    release(&holder);
    assert_int_equal(additions[0].job.result, OK);
    assert_int_equal(additions[1].job.result, OK);
    assert_string_equal(additions[1].lock_timeout, "2s");
}

#define THINGS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_things, teardown_things)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        THINGS_TEST(jobs_about_different_subjects_all_ask_ahead),
        THINGS_TEST(of_jobs_about_one_subject_only_the_first_asks_ahead),
        THINGS_TEST(what_a_job_without_a_subject_wrote_is_read_after_it),
        THINGS_TEST(a_job_alone_asks_ahead),
        THINGS_TEST(a_question_that_fails_fails_no_other_job),
        THINGS_TEST(jobs_run_in_the_order_of_their_subjects),
        THINGS_TEST(only_jobs_that_share_a_transaction_wait_briefly_for_locks),
        THINGS_TEST(a_job_that_waited_in_a_batch_waits_for_longer_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
