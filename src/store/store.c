// The database threads and their two queues. One thread owns each connection. A job belongs to the loop until
// it is submitted, then to one database thread until it is posted back, and then to the loop again: its
// memory needs no lock. Public functions: the loop thread. batch.c runs the jobs' transactions.
#include "store/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/require.h"
#include "store/batch.h"
#include "store/checkpointer.h"
#include "store/driver.h"
#include "store/job_queue.h"
#include "store/kept_rows.h"
#include "store/migrate.h"
#include "store/node.h"
#include "store/worker.h"

// Requests' jobs that are out at the same time (job_queue.h). The loop finishes as many in a few
// milliseconds, and as many to a commit keep it busy unless a commit takes longer than that.
#define WRITES_OUT_MAX 64
#define READS_OUT_MAX 256

struct store {
    struct loop *loop;
    struct store_options options;
    struct batch_source source;
    struct store_listener listener;
    const struct db_driver *driver;
    int claim;
    bool closed;
    atomic_size_t waiting; // unfinished jobs of both queues
    struct job_queue reads;
    struct job_queue writes;
    struct task turn_end;   // of the loop's turn
    size_t reads_finished;  // requests' jobs, in this turn
    size_t writes_finished; // the same
    bool place_known;       // in this turn
    bool is_in_place;
    struct worker writer;
    struct checkpointer checkpointer;
    struct worker *readers;
};

// Waking a thread costs more than reading a payment, so they are woken once for all that one turn of the loop
// submits and finishes.
static void end_turn(struct task *task)
{
    struct store *store = CONTAINER_OF(task, struct store, turn_end);
    store->place_known = false;
    job_queue_wake(&store->writes, store->writes_finished);
    job_queue_wake(&store->reads, store->reads_finished);
    store->writes_finished = store->reads_finished = 0;
}

static void await_turn_end(struct store *store)
{
    if (!list_linked(&store->turn_end.link)) {
        loop_end_turn(store->loop, &store->turn_end);
    }
}

static void count_finished(struct store *store, const struct store_job *job)
{
    if (job->owner == STORE_OWN_JOB || store->options.readers == 0 || store->closed) {
        return;
    }
    if (job->queue == STORE_WRITE) {
        store->writes_finished++;
    } else {
        store->reads_finished++;
    }
    await_turn_end(store);
}

static void finish(struct task *task)
{
    struct store_job *job = CONTAINER_OF(task, struct store_job, task);
    struct store *store = job->store;
    count_finished(store, job);
    batch_finish(job, &store->listener);
}

static void post_all(struct store *store, struct list *jobs)
{
    LIST_EACH_SAFE(jobs, link, after)
    {
        struct task *task = CONTAINER_OF(link, struct task, link);
        CONTAINER_OF(task, struct store_job, task)->store = store;
        task->run = finish;
    }
    loop_post_all(store->loop, jobs);
}

static enum errc in_place(const struct store *store, struct err *err)
{
    return store->driver->in_place == NULL
               ? OK
               : store->driver->in_place(store->options.database, store->claim, err);
}

bool store_in_place(struct store *store)
{
    if (store->options.readers == 0) {
        return in_place(store, NULL) == OK;
    }
    if (!store->place_known) {
        store->is_in_place = in_place(store, NULL) == OK;
        store->place_known = true;
        await_turn_end(store);
    }
    return store->is_in_place;
}

static void *write_jobs(void *argument)
{
    struct worker *worker = argument;
    struct store *store = worker->context;
    struct list batch;
    list_init(&batch);
    size_t count;
    while ((count = job_queue_take(&store->writes, &batch, store->options.batch_max, 1)) > 0) {
        struct err err = {0};
        if (in_place(store, &err) == OK) {
            batch_write(&store->source, worker->db, &batch);
        } else {
            batch_refuse(&batch, &err);
        }
        atomic_fetch_sub(&store->waiting, count);
        post_all(store, &batch);
        checkpointer_tend(&store->checkpointer, worker->db);
    }
    return NULL;
}

static void *read_jobs(void *argument)
{
    struct worker *worker = argument;
    struct store *store = worker->context;
    const size_t readers = (size_t)store->options.readers;
    struct list batch;
    list_init(&batch);
    while (job_queue_take(&store->reads, &batch, store->options.batch_max, readers) > 0) {
        struct list finished;
        list_init(&finished);
        const size_t count = batch_read(&store->source, worker->db, &batch, &finished);
        job_queue_return(&store->reads, &batch);
        atomic_fetch_sub(&store->waiting, count);
        post_all(store, &finished);
    }
    return NULL;
}

static enum errc open_connections(struct store *store, struct err *err)
{
    const struct db_driver *driver = store->driver;
    // Where a second server must not be, it must not even migrate.
    enum errc rc = driver->claim != NULL ? driver->claim(store->options.database, &store->claim, err) : OK;
    if (rc == OK) {
        rc = worker_open(&store->writer, driver, store->options.database, true, err);
    }
    if (rc == OK) {
        rc = migrate(store->writer.db, err);
    }
    // Before the check: a copy (copy.h) marks the database and then looks for nodes, and store_run_alone
    // locks the keys and then does.
    if (rc == OK && store->options.node_name != NULL && driver->claim == NULL) {
        rc = node_open(store->writer.db, store->loop, store->options.random, store->options.node_name,
                       &store->source.node, err);
    }
    if (rc == OK && store->options.check != NULL) {
        rc = db_alone(store->writer.db, store->options.check, store->options.check_context, err);
    }
    if (rc == OK) {
        rc = checkpointer_open(&store->checkpointer, driver, store->options.database, err);
    }
    for (int i = 0; i < store->options.readers && rc == OK; i++) {
        rc = worker_open(&store->readers[i], driver, store->options.database, false, err);
    }
    return rc;
}

// Only the loop thread receives signals.
static enum errc start_threads(struct store *store, struct err *err)
{
    if (store->options.readers == 0) {
        return OK;
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    db_serve(store->writer.db, store->writer.db);
    enum errc rc = worker_start(&store->writer, write_jobs, store, "db-writer", err);
    if (rc == OK) {
        rc = checkpointer_start(&store->checkpointer, err);
    }
    for (int i = 0; i < store->options.readers && rc == OK; i++) {
        db_serve(store->readers[i].db, store->writer.db);
        rc = worker_start(&store->readers[i], read_jobs, store, "db-reader", err);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void abandon(struct store **store)
{
    if (*store) {
        store_close(*store);
        store_free(*store);
    }
}

enum errc store_open(struct loop *loop, const struct store_options *options, struct store **out,
                     struct err *err)
{
    REQUIRE(options->readers >= 0 && options->queue_max > 0 && options->batch_max > 0);
    const struct db_driver *driver = NULL;
    enum errc rc = db_driver_find(options->database, &driver, err);
    if (rc != OK) {
        return rc;
    }
    __attribute__((cleanup(abandon))) struct store *store = calloc(1, sizeof(*store));
    REQUIRE(store);
    store->loop = loop;
    store->options = *options;
    store->source = (struct batch_source){.loop = loop,
                                          .random = options->random,
                                          .keyring = options->keyring,
                                          .events = &store->listener.events};
    store->driver = driver;
    store->claim = -1;
    store->turn_end.run = end_turn;
    list_init(&store->turn_end.link);
    job_queue_init(&store->reads, loop, options->wait_max_us, READS_OUT_MAX);
    job_queue_init(&store->writes, loop, options->wait_max_us, WRITES_OUT_MAX);
    checkpointer_init(&store->checkpointer);
    store->readers = calloc((size_t)options->readers + 1, sizeof(*store->readers));
    REQUIRE(store->readers);
    rc = open_connections(store, err);
    if (rc == OK) {
        rc = start_threads(store, err);
    }
    if (rc == OK) {
        node_start(store->source.node, store);
        *out = store;
        store = NULL;
    }
    return rc;
}

void store_listen(struct store *store, const struct store_listener *listener)
{
    store->listener = *listener;
}

// Without threads the job runs at once; its `done` still comes later.
static void run_inline(struct store *store, struct store_job *job)
{
    struct list one;
    list_init(&one);
    list_append(&one, &job->task.link);
    struct err err = {0};
    if (job->queue == STORE_READ || in_place(store, &err) == OK) {
        batch_alone(&store->source, store->writer.db, job);
    } else {
        batch_refuse(&one, &err);
    }
    post_all(store, &one);
    checkpointer_tend(&store->checkpointer, store->writer.db);
}

static struct job_queue *queue_of(struct store *store, enum store_queue queue)
{
    return queue == STORE_WRITE ? &store->writes : &store->reads;
}

void store_submit_always(struct store *store, struct store_job *job)
{
    REQUIRE(!store->closed);
    if (store->options.readers == 0) {
        run_inline(store, job);
        return;
    }
    atomic_fetch_add(&store->waiting, 1);
    job_queue_add_job(queue_of(store, job->queue), job);
    await_turn_end(store);
}

bool store_admits(struct store *store, enum store_queue queue, uint64_t owner)
{
    const size_t waiting = store_waiting(store);
    if (store->closed || waiting >= store->options.queue_max) {
        return false;
    }
    return owner == STORE_OWN_JOB ||
           job_queue_admits(queue_of(store, queue), owner, store->options.queue_max - waiting);
}

bool store_submit(struct store *store, struct store_job *job)
{
    if (!store_admits(store, job->queue, job->owner)) {
        return false;
    }
    store_submit_always(store, job);
    return true;
}

size_t store_waiting(const struct store *store)
{
    return atomic_load(&store->waiting);
}

bool store_is_shared(const struct store *store)
{
    return store->source.node != NULL;
}

int64_t store_nodes(const struct store *store)
{
    return node_count(store->source.node);
}

struct uuid store_stop_mark(const struct store *store)
{
    return node_stop_mark(store->source.node);
}

int64_t store_trials(const struct store *store)
{
    return node_trials(store->source.node);
}

bool store_clock_is_wrong(const struct store *store)
{
    return node_clock_is_wrong(store->source.node);
}

int64_t store_lists_prepared(const struct store *store)
{
    int64_t prepared = store->writer.db->prepared_total;
    for (int i = 0; i < store->options.readers; i++) {
        prepared += store->readers[i].db->prepared_total;
    }
    return prepared;
}

void store_close(struct store *store)
{
    store->closed = true;
    node_stop(store->source.node);
    list_remove(&store->turn_end.link); // closing wakes the threads
    job_queue_close(&store->reads);
    job_queue_close(&store->writes);
    worker_join(&store->writer); // before the checkpointer, which it gives orders to
    checkpointer_stop(&store->checkpointer);
    for (int i = 0; i < store->options.readers; i++) {
        worker_join(&store->readers[i]);
        worker_close(&store->readers[i]);
    }
    node_leave(store->source.node, store->writer.db);
    worker_close(&store->writer); // the last connection to close copies the rest of the write-ahead log
    if (store->claim >= 0) {
        close(store->claim);
    }
}

void store_free(struct store *store)
{
    REQUIRE(store->closed);
    job_queue_destroy(&store->reads);
    job_queue_destroy(&store->writes);
    free(store->readers);
    node_free(store->source.node);
    free(store);
}
