// The database's threads and queues, seen from the loop.
#include "inbox.h"
#include "scratch.h"

#include <pthread.h>
#include <sys/stat.h>

#include "base/require.h"
#include "store/driver.h"
#include "store/store.h"

// Keeps a database thread busy until it is opened.
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool reached;
    bool open;
};

static void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->reached = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) {
        pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    pthread_mutex_unlock(&gate->mutex);
}

static void gate_await(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    while (!gate->reached) {
        pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    pthread_mutex_unlock(&gate->mutex);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

struct fixture {
    struct scratch scratch;
    struct inbox inbox;
    struct gate gate;
    struct store *store;
    size_t done;
};

// Writes a row, or counts them; `gate` NULL: without waiting.
struct work {
    struct store_job job;
    struct fixture *fixture;
    struct gate *gate;
    int64_t id;
    int64_t counted;
    size_t order; // the how-manieth `done` it was, from 1
};

static enum errc count_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    if (work->gate) {
        gate_pass(work->gate);
    }
    DB_ROWS(rows);
    bool has = false;
    enum errc result = db_query(tx->db, &rows, err, "SELECT count(*) FROM things");
    if (result == OK) {
        result = db_next(&rows, &has, err);
    }
    if (result == OK) {
        work->counted = db_i64(&rows, 0);
    }
    return result;
}

static enum errc insert_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    if (work->gate) {
        gate_pass(work->gate);
    }
    return db_run(tx->db, NULL, err, "INSERT INTO things (id) VALUES ($1)", DB_I64(work->id));
}

static void work_done(struct store_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    work->order = ++work->fixture->done;
}

static void work_init(struct work *work, struct fixture *fixture, enum store_queue queue, int64_t id)
{
    *work = (struct work){.fixture = fixture, .id = id};
    work->job.queue = queue;
    work->job.run = queue == STORE_WRITE ? insert_run : count_run;
    work->job.done = work_done;
    work->job.now_us = 1; // the inbox has no clock
}

static enum errc create_table(struct db *db, void *context, struct err *err)
{
    (void)context;
    return db_run(db, NULL, err,
                  "CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, bytes BLOB) STRICT");
}

static enum errc try_open(struct fixture *fixture, int readers, struct store **store, struct err *err)
{
    const struct store_options options = {
        .database = fixture->scratch.database, .readers = readers, .queue_max = 10, .batch_max = 4};
    return store_open(&fixture->inbox.loop, &options, store, err);
}

static void open_store(struct fixture *fixture, int readers)
{
    struct err err = {0};
    if (try_open(fixture, readers, &fixture->store, &err) != OK) {
        fail_msg("%s", err.message);
    }
}

static void close_store(struct fixture *fixture)
{
    store_close(fixture->store);
    store_free(fixture->store);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct err err = {0};
    scratch_make(&fixture->scratch);
    inbox_init(&fixture->inbox);
    pthread_mutex_init(&fixture->gate.mutex, NULL);
    pthread_cond_init(&fixture->gate.changed, NULL);
    assert_int_equal(store_run_once(fixture->scratch.database, create_table, NULL, &err), OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    assert_true(list_empty(&fixture->inbox.tasks));
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

// The writer is held inside `first` until the gate opens; what is submitted until then waits.
static void hold_writer(struct fixture *fixture, struct work *first)
{
    work_init(first, fixture, STORE_WRITE, 1000);
    first->gate = &fixture->gate;
    assert_true(store_submit(fixture->store, &first->job));
    gate_await(&fixture->gate);
}

static void jobs_come_back_in_order_with_their_results(void **state)
{
    struct fixture *fixture = *state;
    struct work first;
    struct work works[9];
    open_store(fixture, 1);
    hold_writer(fixture, &first);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        work_init(&works[i], fixture, STORE_WRITE, i == 5 ? 1 : (int64_t)i); // the sixth repeats a key
        assert_true(store_submit(fixture->store, &works[i].job));
    }
    gate_open(&fixture->gate);
    inbox_run(&fixture->inbox, 1 + COUNT_OF(works)); // three batches, as four are the most
    assert_int_equal(first.job.result, OK);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        assert_int_equal(works[i].job.result, i == 5 ? ERR_EXISTS : OK);
        assert_int_equal(works[i].order, i + 2);
    }
    close_store(fixture);
}

static void a_batch_is_answered_before_the_next_begins(void **state)
{
    struct fixture *fixture = *state;
    struct gate second_gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    struct work first;
    struct work works[6];
    open_store(fixture, 1);
    hold_writer(fixture, &first);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        work_init(&works[i], fixture, STORE_WRITE, (int64_t)i);
        works[i].gate = i == 4 ? &second_gate : NULL; // four are a batch
        assert_true(store_submit(fixture->store, &works[i].job));
    }
    gate_open(&fixture->gate);
    inbox_run(&fixture->inbox, 1 + 4);
    assert_int_equal(works[3].order, 5);
    gate_open(&second_gate);
    inbox_run(&fixture->inbox, 2);
    close_store(fixture);
}

static void a_reader_sees_what_was_answered(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture, 2);
    for (int64_t i = 0; i < 20; i++) {
        struct work insert;
        struct work count;
        work_init(&insert, fixture, STORE_WRITE, i);
        work_init(&count, fixture, STORE_READ, 0);
        assert_true(store_submit(fixture->store, &insert.job));
        inbox_run(&fixture->inbox, 1);
        assert_true(store_submit(fixture->store, &count.job));
        inbox_run(&fixture->inbox, 1);
        assert_int_equal(count.job.result, OK);
        assert_int_equal(count.counted, i + 1);
    }
    close_store(fixture);
}

static void readers_do_not_wait_for_the_writer_nor_for_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct gate reader_gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    struct work first;
    struct work held;
    struct work count;
    open_store(fixture, 2);
    hold_writer(fixture, &first);
    work_init(&held, fixture, STORE_READ, 0);
    held.gate = &reader_gate;
    assert_true(store_submit(fixture->store, &held.job));
    gate_await(&reader_gate);
    work_init(&count, fixture, STORE_READ, 0);
    assert_true(store_submit(fixture->store, &count.job));
    inbox_run(&fixture->inbox, 1);
    assert_int_equal(count.order, 1);
    assert_int_equal(count.counted, 0);
    gate_open(&reader_gate);
    gate_open(&fixture->gate);
    inbox_run(&fixture->inbox, 2);
    close_store(fixture);
}

static void a_full_queue_takes_only_what_must_be_settled(void **state)
{
    struct fixture *fixture = *state;
    struct work first;
    struct work works[12];
    open_store(fixture, 1);
    hold_writer(fixture, &first);
    assert_int_equal(store_waiting(fixture->store), 1); // it is running, and not finished
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        work_init(&works[i], fixture, STORE_WRITE, (int64_t)i);
        if (i < 11) {
            assert_int_equal(store_submit(fixture->store, &works[i].job), i < 9);
        }
    }
    assert_int_equal(store_waiting(fixture->store), 10);
    store_submit_always(fixture->store, &works[11].job);
    assert_int_equal(store_waiting(fixture->store), 11);
    gate_open(&fixture->gate);
    inbox_run(&fixture->inbox, 11);
    assert_int_equal(works[9].order, 0); // the refused ones were not queued
    assert_int_equal(works[10].order, 0);
    assert_int_equal(works[11].order, 11);
    assert_int_equal(store_waiting(fixture->store), 0);
    close_store(fixture);
}

static void closing_finishes_what_is_queued(void **state)
{
    struct fixture *fixture = *state;
    struct work first;
    struct work works[9];
    struct work late;
    open_store(fixture, 1);
    hold_writer(fixture, &first);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        work_init(&works[i], fixture, i % 2 ? STORE_WRITE : STORE_READ, (int64_t)i);
        assert_true(store_submit(fixture->store, &works[i].job));
    }
    gate_open(&fixture->gate);
    store_close(fixture->store);
    work_init(&late, fixture, STORE_WRITE, 99);
    assert_false(store_submit(fixture->store, &late.job));
    inbox_run(&fixture->inbox, 1 + COUNT_OF(works));
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        assert_int_equal(works[i].job.result, OK);
    }
    store_free(fixture->store);

    open_store(fixture, 1);
    struct work count;
    work_init(&count, fixture, STORE_READ, 0);
    assert_true(store_submit(fixture->store, &count.job));
    inbox_run(&fixture->inbox, 1);
    assert_int_equal(count.counted, 5);
    close_store(fixture);
}

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

static void what_cannot_be_served_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    struct err err = {0};
    const struct store_options unknown = {
        .database = "mysql://x", .readers = 1, .queue_max = 1, .batch_max = 1};
    assert_int_equal(store_open(&fixture->inbox.loop, &unknown, &store, &err), ERR_CONFIG);
    assert_int_equal(store_run_once("mysql://x", create_table, NULL, &err), ERR_CONFIG);

    assert_int_equal(store_run_once(fixture->scratch.database, grow_schema, NULL, &err), OK);
    assert_int_equal(try_open(fixture, 1, &store, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "newer paymentsd"));
    assert_int_equal(store_run_once(fixture->scratch.database, create_table, NULL, &err), ERR_CONFIG);
}

static void without_threads_a_job_runs_at_once_and_is_done_later(void **state)
{
    struct fixture *fixture = *state;
    struct work works[3];
    open_store(fixture, 0);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        work_init(&works[i], fixture, i == 2 ? STORE_READ : STORE_WRITE, 1);
        assert_true(store_submit(fixture->store, &works[i].job));
    }
    assert_int_equal(works[2].counted, 1);
    assert_int_equal(fixture->done, 0);
    inbox_run(&fixture->inbox, COUNT_OF(works));
    assert_int_equal(works[0].job.result, OK);
    assert_int_equal(works[1].job.result, ERR_EXISTS);
    assert_int_equal(works[2].order, 3);
    close_store(fixture);
}

static enum errc insert_big(struct store_job *job, struct tx *tx, struct err *err)
{
    (void)job;
    return db_run(tx->db, NULL, err, "INSERT INTO things (bytes) VALUES (zeroblob(1000000))");
}

static int64_t file_bytes(const struct fixture *fixture, const char *end)
{
    char path[160];
    struct stat file = {0};
    snprintf(path, sizeof(path), "%s%s", fixture->scratch.path, end);
    assert_int_equal(stat(path, &file), 0);
    return file.st_size;
}

// Everything is first written to the log: where the database outgrows it, the log was used again from its
// start.
static void expect_short_log(struct fixture *fixture, int readers)
{
    struct work work;
    open_store(fixture, readers);
    int jobs = 0;
    do {
        assert_true(++jobs < 1000);
        work_init(&work, fixture, STORE_WRITE, 0);
        work.job.run = insert_big;
        assert_true(store_submit(fixture->store, &work.job));
        inbox_run(&fixture->inbox, 1);
        assert_int_equal(work.job.result, OK);
    } while (file_bytes(fixture, "") < 2 * file_bytes(fixture, "-wal"));
    close_store(fixture);
}

static void the_log_does_not_grow_with_the_database(void **state)
{
    expect_short_log(*state, 1);
}

static void without_threads_the_log_does_not_grow_either(void **state)
{
    expect_short_log(*state, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jobs_come_back_in_order_with_their_results),
        TEST(a_batch_is_answered_before_the_next_begins),
        TEST(a_reader_sees_what_was_answered),
        TEST(readers_do_not_wait_for_the_writer_nor_for_each_other),
        TEST(a_full_queue_takes_only_what_must_be_settled),
        TEST(closing_finishes_what_is_queued),
        TEST(a_second_server_is_refused_and_a_command_is_not),
        TEST(a_command_that_fails_leaves_nothing),
        TEST(what_cannot_be_served_is_refused),
        TEST(without_threads_a_job_runs_at_once_and_is_done_later),
        TEST(the_log_does_not_grow_with_the_database),
        TEST(without_threads_the_log_does_not_grow_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
