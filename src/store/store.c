// The database threads and their queues: one for all readers, one for each writer. One thread owns each
// connection. A job belongs to the loop until it is submitted, then to one database thread until it is posted
// back, and then to the loop again: its memory needs no lock. Public functions: the loop thread. batch.c runs
// the jobs' transactions.
#include "base/require.h"
#include "store/node.h"
#include "store/store_private.h"

// Waking a thread costs more than reading a payment, so they are woken once for all that one turn of the loop
// submits and finishes.
void store_end_turn(struct task *task)
{
    struct store *store = CONTAINER_OF(task, struct store, turn_end);
    store->place_known = false;
    for (int i = 0; i < store->driver->writers; i++) {
        job_queue_wake(&store->writers[i].jobs, store->writers[i].finished);
        store->writers[i].finished = 0;
    }
    job_queue_wake(&store->reads, store->reads_finished);
    store->reads_finished = 0;
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
        store->writers[job->writer].finished++;
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
    return store->driver->is_shared ? OK
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

static void post_written(struct store *store, struct list *jobs)
{
    LIST_EACH_SAFE(jobs, link, after)
    {
        atomic_fetch_sub(&store->waiting, 1);
    }
    post_all(store, jobs);
}

// Nobody else waits for those that lost a conflict.
static void write_losers(struct writer *writer, struct list *losers)
{
    struct list *link;
    while ((link = list_take_first(losers)) != NULL) {
        struct list one;
        list_init(&one);
        list_append(&one, link);
        batch_write_loser(&writer->store->source, writer->worker.db,
                          CONTAINER_OF(CONTAINER_OF(link, struct task, link), struct store_job, task));
        post_written(writer->store, &one);
    }
}

void *store_write_jobs(void *argument)
{
    struct worker *worker = argument;
    struct writer *writer = worker->context;
    struct store *store = writer->store;
    struct list batch;
    struct list losers;
    list_init(&batch);
    list_init(&losers);
    while (job_queue_take(&writer->jobs, &batch, store->options.batch_max, 1) > 0) {
        struct err err = {0};
        if (in_place(store, &err) == OK) {
            batch_write(&store->source, worker->db, &batch, &losers);
        } else {
            batch_refuse(&batch, &err);
        }
        post_written(store, &batch);
        write_losers(writer, &losers);
        checkpointer_tend(&store->checkpointer, worker->db);
    }
    return NULL;
}

void *store_read_jobs(void *argument)
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

void store_listen(struct store *store, const struct store_listener *listener)
{
    store->listener = *listener;
}

// Without threads the job runs at once; its `done` still comes later.
static void run_inline(struct store *store, struct store_job *job)
{
    struct db *db = store->writers[0].worker.db;
    struct list one;
    list_init(&one);
    list_append(&one, &job->task.link);
    struct err err = {0};
    if (job->queue == STORE_READ || in_place(store, &err) == OK) {
        batch_alone(&store->source, db, job);
    } else {
        batch_refuse(&one, &err);
    }
    post_all(store, &one);
    checkpointer_tend(&store->checkpointer, db);
}

// Jobs about the same subject have the same writer: they would only wait for each other's locks. All jobs
// keep their order but those that ask ahead, which are made for running beside others.
static int writer_of(struct store *store, const struct store_job *job)
{
    const int count = store->driver->writers;
    if (!uuid_is_nil(&job->subject)) {
        return job->subject.bytes[sizeof(job->subject.bytes) - 1] % count; // a random byte
    }
    if (job->ahead == NULL) {
        return 0;
    }
    store->last_writer = (store->last_writer + 1) % count;
    return store->last_writer;
}

void store_submit_always(struct store *store, struct store_job *job)
{
    REQUIRE(!store->closed);
    if (store->options.readers == 0) {
        run_inline(store, job);
        return;
    }
    atomic_fetch_add(&store->waiting, 1);
    if (job->queue == STORE_READ) {
        job_queue_add_job(&store->reads, job);
    } else {
        job->writer = writer_of(store, job);
        job_queue_add_job(&store->writers[job->writer].jobs, job);
    }
    await_turn_end(store);
}

bool store_admits(struct store *store, enum store_queue queue, uint64_t owner)
{
    const size_t waiting = store_waiting(store);
    if (store->closed || waiting >= store->options.queue_max) {
        return false;
    }
    const size_t room = store->options.queue_max - waiting;
    if (owner == STORE_OWN_JOB || queue == STORE_READ) {
        return owner == STORE_OWN_JOB || job_queue_admits(&store->reads, owner, room);
    }
    bool admitted = true;
    for (int i = 0; i < store->driver->writers; i++) {
        admitted &= job_queue_admits(&store->writers[i].jobs, owner, room);
    }
    return admitted;
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

int64_t store_nodes_removed_total(const struct store *store)
{
    return node_removed_total(store->source.node);
}

struct uuid store_stop_mark(const struct store *store)
{
    return node_stop_mark(store->source.node);
}

int64_t store_trials(const struct store *store)
{
    return node_trials(store->source.node);
}

int64_t store_clock_ahead_us(const struct store *store)
{
    return node_clock_ahead_us(store->source.node);
}

bool store_clock_is_wrong(const struct store *store)
{
    return node_clock_is_wrong(store->source.node);
}

int64_t store_lists_prepared(const struct store *store)
{
    int64_t prepared = 0;
    for (int i = 0; i < store->driver->writers; i++) {
        prepared += store->writers[i].worker.db->prepared_total;
    }
    for (int i = 0; i < store->options.readers; i++) {
        prepared += store->readers[i].db->prepared_total;
    }
    return prepared;
}
