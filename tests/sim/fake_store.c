// Implements store/store.h without threads, in place of the product's store.c, with the same queues, batches,
// transactions and driver. Each batch of the writer or the reader is a scheduled call, and its jobs return to
// the loop a little later. So jobs wait for each other and share a transaction, and the service can crash
// between a commit and its answer.
#include "store/store.h"

#include <stdlib.h>

#include "base/require.h"
#include "service.h"
#include "store/batch.h"
#include "store/driver.h"
#include "store/kept_rows.h"
#include "store/migrate.h"
#include "world.h"

#define BATCH_US_MAX 2000
#define STALL_US_MAX (20 * US_PER_S)

// Stands in for a thread of the store.
struct worker {
    struct store *store;
    struct db *db;
    struct list jobs;
    struct list finished;
    bool busy;
};

struct store {
    struct loop *loop;
    int incarnation;
    struct store_options options;
    struct batch_source source;
    struct store_listener listener;
    struct worker reader;
    struct worker writer;
    size_t waiting;
};

static void schedule_batch(struct worker *worker);

static bool is_stale(const struct store *store)
{
    return store->incarnation != service.incarnation || !service.up;
}

static void finish(struct task *task)
{
    struct store_job *job = CONTAINER_OF(task, struct store_job, task);
    batch_finish(job, &job->store->listener);
}

static void return_finished(void *context)
{
    struct worker *worker = context;
    struct store *store = worker->store;
    if (is_stale(store)) {
        return;
    }
    for (struct list *node; (node = list_take_first(&worker->finished)) != NULL;) {
        struct task *task = CONTAINER_OF(node, struct task, link);
        CONTAINER_OF(task, struct store_job, task)->store = store;
        task->run = finish;
        store->waiting--;
        loop_post(store->loop, task);
    }
    worker->busy = false;
    schedule_batch(worker);
}

static enum errc write_and_fail(struct store_job *job, struct tx *tx, struct err *err)
{
    (void)job;
    const enum errc rc = db_run(tx->db, NULL, err, "UPDATE generation SET value = value");
    return rc == OK ? err_set(err, ERR_CONFLICT, "the simulated job fails after it has written") : rc;
}

// Now and then one more job comes last in the batch and makes the others run again.
static void write_batch(struct worker *worker)
{
    struct store_job failing = {.queue = STORE_WRITE, .run = write_and_fail, .now_us = 1};
    list_init(&failing.task.link);
    if (fault_one_in(100)) {
        list_append(&worker->finished, &failing.task.link);
    }
    struct list losers;
    list_init(&losers);
    batch_write(&worker->store->source, worker->db, &worker->finished, &losers);
    REQUIRE(list_empty(&losers)); // nobody else writes
    list_remove(&failing.task.link);
}

static void run_batch(void *context)
{
    struct worker *worker = context;
    if (is_stale(worker->store)) {
        return;
    }
    struct store *store = worker->store;
    if (worker == &store->reader) {
        (void)batch_read(&store->source, worker->db, &worker->jobs, &worker->finished);
        world_after(random_between(0, BATCH_US_MAX), return_finished, worker);
        return;
    }
    size_t count = 0;
    while (count < store->options.batch_max && !list_empty(&worker->jobs)) {
        list_append(&worker->finished, list_take_first(&worker->jobs));
        count++;
    }
    if (count > 1) {
        write_batch(worker);
    } else {
        batch_alone(&store->source, worker->db,
                    CONTAINER_OF(worker->finished.next, struct store_job, task.link));
    }
    // The product copies the log when it is long.
    if (random_below(100) == 0 && !worker->db->driver->copy_log(worker->db)) {
        service_kill(false);
        return;
    }
    world_after(random_between(0, BATCH_US_MAX), return_finished, worker);
}

static void schedule_batch(struct worker *worker)
{
    if (!worker->busy && !list_empty(&worker->jobs)) {
        worker->busy = true;
        world_after(random_between(0, fault_one_in(500) ? STALL_US_MAX : BATCH_US_MAX), run_batch, worker);
    }
}

// Now and then a commit fails: its jobs, which have all run, are undone.
static enum errc commit_or_fail(struct db *db, struct err *err)
{
    if (!fault_one_in(300)) {
        return sqlite_driver.commit(db, err);
    }
    world.counts.failed_commits++;
    sqlite_driver.rollback(db);
    return err_set(err, ERR_STORE, "the simulated commit failed");
}

static enum errc open_worker(struct store *store, struct worker *worker, bool writable, struct err *err)
{
    static struct db_driver driver;
    driver = sqlite_driver;
    driver.commit = commit_or_fail;
    worker->store = store;
    list_init(&worker->jobs);
    list_init(&worker->finished);
    enum errc rc = sqlite_driver.open(store->options.database, writable, &worker->db, err);
    if (rc == OK) {
        kept_rows_start(worker->db);
        worker->db->driver = &driver;
    }
    return rc;
}

enum errc store_open(struct loop *loop, const struct store_options *options, struct store **out,
                     struct err *err)
{
    struct store *store = calloc(1, sizeof(*store));
    REQUIRE(store != NULL);
    store->loop = loop;
    store->incarnation = service.incarnation;
    store->options = *options;
    store->source = (struct batch_source){.loop = loop,
                                          .random = options->random,
                                          .keyring = options->keyring,
                                          .events = &store->listener.events};
    enum errc rc = open_worker(store, &store->writer, true, err);
    if (rc == OK) {
        rc = migrate(store->writer.db, err);
    }
    if (rc == OK) {
        rc = open_worker(store, &store->reader, false, err);
    }
    *out = store;
    return rc;
}

void store_listen(struct store *store, const struct store_listener *listener)
{
    store->listener = *listener;
}

void store_submit_always(struct store *store, struct store_job *job)
{
    struct worker *worker = job->queue == STORE_WRITE ? &store->writer : &store->reader;
    store->waiting++;
    list_append(&worker->jobs, &job->task.link);
    schedule_batch(worker);
}

bool store_admits(struct store *store, enum store_queue queue, uint64_t owner)
{
    (void)queue;
    (void)owner;
    return store->waiting < store->options.queue_max;
}

bool store_submit(struct store *store, struct store_job *job)
{
    if (!store_admits(store, job->queue, job->owner)) {
        return false;
    }
    store_submit_always(store, job);
    return true;
}

bool store_in_place(struct store *store)
{
    (void)store;
    return true; // nobody moves the simulated disk's files
}

size_t store_waiting(const struct store *store)
{
    return store->waiting;
}

bool store_is_shared(const struct store *store)
{
    (void)store;
    return false;
}

int64_t store_trials(const struct store *store)
{
    (void)store;
    return 1;
}

bool store_clock_is_wrong(const struct store *store)
{
    (void)store;
    return false;
}

int64_t store_lists_prepared(const struct store *store)
{
    (void)store;
    return 0; // nobody reads its metrics
}

int64_t store_nodes(const struct store *store)
{
    (void)store;
    return 1;
}

int64_t store_nodes_removed_total(const struct store *store)
{
    (void)store;
    return 0;
}

int64_t store_clock_ahead_us(const struct store *store)
{
    (void)store;
    return 0;
}
