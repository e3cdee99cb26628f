// Opens the database for a service and starts its threads; stops and closes them. Loop thread.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/require.h"
#include "store/migrate.h"
#include "store/node.h"
#include "store/store_private.h"

// Requests' jobs that are out at the same time (job_queue.h). The loop finishes as many in a few
// milliseconds, and as many to a commit keep it busy unless a commit takes longer than that.
#define WRITES_OUT_MAX 64
#define READS_OUT_MAX 256

static enum errc open_connections(struct store *store, struct err *err)
{
    const struct db_driver *driver = store->driver;
    struct worker *writer = &store->writers[0].worker;
    // Where a second server must not be, it must not even migrate.
    enum errc rc = driver->is_shared ? OK : driver->claim(store->options.database, &store->claim, err);
    if (rc == OK) {
        rc = worker_open(writer, driver, store->options.database, true, err);
    }
    if (rc == OK) {
        rc = migrate(writer->db, err);
    }
    // Before the check: a copy (copy.h) marks the database and then looks for nodes, and store_run_alone
    // locks the keys and then does.
    if (rc == OK && store->options.node_name != NULL && driver->is_shared) {
        rc = node_open(writer->db, store->loop, store->options.random, store->options.node_name,
                       &store->source.node, err);
    }
    if (rc == OK && store->options.check != NULL) {
        rc = db_alone(writer->db, store->options.check, store->options.check_context, err);
    }
    if (rc == OK) {
        rc = checkpointer_open(&store->checkpointer, driver, store->options.database, err);
    }
    for (int i = 1; i < driver->writers && rc == OK; i++) {
        rc = worker_open(&store->writers[i].worker, driver, store->options.database, true, err);
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
    struct db *first = store->writers[0].worker.db;
    enum errc rc = OK;
    for (int i = 0; i < store->driver->writers && rc == OK; i++) {
        struct writer *writer = &store->writers[i];
        db_serve(writer->worker.db, first);
        rc = worker_start(&writer->worker, store_write_jobs, writer, "db-writer", err);
    }
    if (rc == OK) {
        rc = checkpointer_start(&store->checkpointer, err);
    }
    for (int i = 0; i < store->options.readers && rc == OK; i++) {
        db_serve(store->readers[i].db, first);
        rc = worker_start(&store->readers[i], store_read_jobs, store, "db-reader", err);
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
    store->turn_end.run = store_end_turn;
    list_init(&store->turn_end.link);
    job_queue_init(&store->reads, loop, options->wait_max_us, READS_OUT_MAX);
    for (int i = 0; i < driver->writers; i++) {
        store->writers[i].store = store;
        job_queue_init(&store->writers[i].jobs, loop, options->wait_max_us, WRITES_OUT_MAX);
    }
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

void store_close(struct store *store)
{
    store->closed = true;
    node_stop(store->source.node);
    list_remove(&store->turn_end.link); // closing wakes the threads
    job_queue_close(&store->reads);
    for (int i = 0; i < store->driver->writers; i++) {
        job_queue_close(&store->writers[i].jobs);
        worker_join(&store->writers[i].worker); // before the checkpointer, which it gives orders to
    }
    checkpointer_stop(&store->checkpointer);
    for (int i = 0; i < store->options.readers; i++) {
        worker_join(&store->readers[i]);
        worker_close(&store->readers[i]);
    }
    node_leave(store->source.node, store->writers[0].worker.db);
    for (int i = 0; i < store->driver->writers; i++) {
        worker_close(&store->writers[i].worker); // the last one copies the rest of the write-ahead log
    }
    if (store->claim >= 0) {
        close(store->claim);
    }
}

void store_free(struct store *store)
{
    REQUIRE(store->closed);
    job_queue_destroy(&store->reads);
    for (int i = 0; i < store->driver->writers; i++) {
        job_queue_destroy(&store->writers[i].jobs);
    }
    free(store->readers);
    node_free(store->source.node);
    free(store);
}
