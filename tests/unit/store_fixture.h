// For tests of the store: a database with one table, jobs that write and count its rows, and gates that keep
// a database thread busy.
#pragma once

#include "inbox.h"
#include "scratch.h"

#include <pthread.h>

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

static inline void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->reached = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) {
        pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    pthread_mutex_unlock(&gate->mutex);
}

static inline void gate_await(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    while (!gate->reached) {
        pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    pthread_mutex_unlock(&gate->mutex);
}

static inline void gate_open(struct gate *gate)
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
    size_t order; // its position among all `done`s, from 1
};

static inline enum errc count_run(struct store_job *job, struct tx *tx, struct err *err)
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

static inline enum errc insert_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    if (work->gate) {
        gate_pass(work->gate);
    }
    return db_run(tx->db, NULL, err, "INSERT INTO things (id) VALUES ($1)", DB_I64(work->id));
}

static inline void work_done(struct store_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    work->order = ++work->fixture->done;
}

static inline void work_init(struct work *work, struct fixture *fixture, enum store_queue queue, int64_t id)
{
    *work = (struct work){.fixture = fixture, .id = id};
    work->job.queue = queue;
    work->job.run = queue == STORE_WRITE ? insert_run : count_run;
    work->job.done = work_done;
    work->job.now_us = 1; // the inbox has no clock
}

static inline enum errc create_table(struct db *db, void *context, struct err *err)
{
    (void)context;
    return db_run(db, NULL, err, "CREATE TABLE IF NOT EXISTS things (id BIGINT PRIMARY KEY)");
}

static inline enum errc try_open(struct fixture *fixture, int readers, struct store **store, struct err *err)
{
    const struct store_options options = {
        .database = fixture->scratch.database, .readers = readers, .queue_max = 10, .batch_max = 4};
    return store_open(&fixture->inbox.loop, &options, store, err);
}

static inline void open_store(struct fixture *fixture, int readers)
{
    struct err err = {0};
    if (try_open(fixture, readers, &fixture->store, &err) != OK) {
        fail_msg("%s", err.message);
    }
}

static inline void close_store(struct fixture *fixture)
{
    store_close(fixture->store);
    store_free(fixture->store);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    struct fixture *fixture = *state;
    assert_true(list_empty(&fixture->inbox.tasks));
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
