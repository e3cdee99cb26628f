// The database's threads and queues, seen from the loop. How it opens is in test_store_open.c.
#include "store_fixture.h"

#include <sys/stat.h>

#define WRITES_OUT_MAX 64 // as in store_open.c

// What is about it has the writer of the service's own jobs.
static const struct uuid first_writers = {{[0] = 1}};

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
        work_init(&works[i], fixture, STORE_WRITE,
                  i == 7 ? 1 : (int64_t)i); // the last of the second batch repeats a key
        assert_true(store_submit(fixture->store, &works[i].job));
    }
    gate_open(&fixture->gate);
    inbox_run(&fixture->inbox, 1 + COUNT_OF(works)); // three batches, as four are the most
    assert_int_equal(first.job.result, OK);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        assert_int_equal(works[i].job.result, i == 7 ? ERR_EXISTS : OK);
        assert_int_equal(works[i].order, i + 2);
    }
    close_store(fixture);
}

// On SQLite none does: nobody else writes.
static void nobody_waits_for_a_job_that_runs_again_alone(void **state)
{
    struct fixture *fixture = *state;
    struct work first;
    struct work again;
    struct work other;
    open_store(fixture, 1);
    hold_writer(fixture, &first);
    work_init(&again, fixture, STORE_WRITE, first.id);
    work_init(&other, fixture, STORE_WRITE, 1);
    assert_true(store_submit(fixture->store, &again.job));
    assert_true(store_submit(fixture->store, &other.job));
    gate_open(&fixture->gate);
    inbox_run(&fixture->inbox, 3);
    assert_int_equal(again.job.result, ERR_EXISTS);
    assert_int_equal(other.job.result, OK);
    assert_int_equal(other.order, store_file(fixture->scratch.database) ? 3 : 2);
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

// On SQLite there is one writer, and both wait.
static void only_jobs_about_the_same_subject_wait_for_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct work first;
    struct work same;
    struct work other;
    open_store(fixture, 1);
    hold_writer(fixture, &first); // the service's own
    work_init(&same, fixture, STORE_WRITE, 1);
    work_init(&other, fixture, STORE_WRITE, 2);
    same.job.subject = first_writers;
    other.job.subject = (struct uuid){{[15] = 1}};
    assert_true(store_submit(fixture->store, &same.job));
    assert_true(store_submit(fixture->store, &other.job));
    const bool has_others = !store_file(fixture->scratch.database);
    if (has_others) {
        inbox_run(&fixture->inbox, 1);
        assert_int_equal(other.order, 1);
    }
    gate_open(&fixture->gate);
    inbox_run(&fixture->inbox, has_others ? 2 : 3);
    assert_int_equal(first.order, has_others ? 2 : 1);
    assert_int_equal(same.order, has_others ? 3 : 2);
    close_store(fixture);
}

// Longer than a batch of reads may take, so its rest comes back to the queue.
static enum errc count_slowly(struct store_job *job, struct tx *tx, struct err *err)
{
    const struct timespec pause = {.tv_nsec = 600 * 1000};
    nanosleep(&pause, NULL);
    return count_run(job, tx, err);
}

static void slow_reads_are_shared_by_the_readers(void **state)
{
    struct fixture *fixture = *state;
    struct work works[9];
    open_store(fixture, 2);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(works); i++) {
            work_init(&works[i], fixture, STORE_READ, 0);
            works[i].job.run = count_slowly;
            assert_true(store_submit(fixture->store, &works[i].job));
        }
        inbox_run(&fixture->inbox, COUNT_OF(works));
        for (size_t i = 0; i < COUNT_OF(works); i++) {
            assert_int_equal(works[i].job.result, OK);
        }
    }
    assert_int_equal(store_waiting(fixture->store), 0);
    close_store(fixture);
}

static void requests_wait_for_a_loop_that_falls_behind(void **state)
{
    struct fixture *fixture = *state;
    struct work first;
    struct work works[WRITES_OUT_MAX + 8];
    struct work own;
    open_store(fixture, 1);
    hold_writer(fixture, &first);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        work_init(&works[i], fixture, STORE_WRITE, (int64_t)i);
        works[i].job.owner = 1;
        works[i].job.subject = first_writers;
        store_submit_always(fixture->store, &works[i].job);
    }
    gate_open(&fixture->gate);
    inbox_await(&fixture->inbox, 1 + WRITES_OUT_MAX);
    work_init(&own, fixture, STORE_WRITE, 2000);
    store_submit_always(fixture->store, &own.job);
    inbox_await(&fixture->inbox, 1 + WRITES_OUT_MAX + 1);
    assert_int_equal(store_waiting(fixture->store), 8);
    inbox_run(&fixture->inbox, 1 + COUNT_OF(works) + 1);
    assert_int_equal(own.order, 1 + WRITES_OUT_MAX + 1);
    close_store(fixture);
}

static void the_services_own_jobs_go_before_requests_and_requests_take_turns(void **state)
{
    struct fixture *fixture = *state;
    struct work first;
    struct work works[5];
    const uint64_t owners[] = {1, 1, 1, 2, STORE_OWN_JOB};
    open_store(fixture, 1);
    hold_writer(fixture, &first);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        work_init(&works[i], fixture, STORE_WRITE, (int64_t)i);
        works[i].job.owner = owners[i];
        works[i].job.subject = first_writers;
        assert_true(store_submit(fixture->store, &works[i].job));
    }
    gate_open(&fixture->gate);
    inbox_run(&fixture->inbox, 6);
    const size_t order[] = {3, 5, 6, 4, 2};
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        assert_int_equal(works[i].order, order[i]);
    }
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
    const enum errc rc = db_run(tx->db, NULL, err, "CREATE TABLE IF NOT EXISTS blobs (bytes BLOB)");
    return rc == OK ? db_run(tx->db, NULL, err, "INSERT INTO blobs (bytes) VALUES (zeroblob(1000000))") : rc;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jobs_come_back_in_order_with_their_results),
        TEST(nobody_waits_for_a_job_that_runs_again_alone),
        TEST(a_batch_is_answered_before_the_next_begins),
        TEST(a_reader_sees_what_was_answered),
        TEST(readers_do_not_wait_for_the_writer_nor_for_each_other),
        TEST(only_jobs_about_the_same_subject_wait_for_each_other),
        TEST(slow_reads_are_shared_by_the_readers),
        TEST(requests_wait_for_a_loop_that_falls_behind),
        TEST(the_services_own_jobs_go_before_requests_and_requests_take_turns),
        TEST(a_full_queue_takes_only_what_must_be_settled),
        TEST(closing_finishes_what_is_queued),
        TEST(without_threads_a_job_runs_at_once_and_is_done_later),
        ONLY_SQLITE("the write-ahead log", TEST(the_log_does_not_grow_with_the_database)),
        ONLY_SQLITE("the write-ahead log", TEST(without_threads_the_log_does_not_grow_either)),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
