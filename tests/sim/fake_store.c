// store/store.h without its threads, in place of the product's store.c: the same queues, batches,
// transactions and driver. Each turn of the writer or the reader is a happening of its own, and what it
// finished comes back to the loop a little later; so jobs wait for each other and share a transaction, and
// the service can die between a commit and the answer to it.
#include "store/store.h"

#include <stdlib.h>

#include "base/require.h"
#include "service.h"
#include "store/batch.h"
#include "store/driver.h"
#include "store/migrate.h"
#include "world.h"

#define TURN_US_MAX 2000
#define STALL_US_MAX (20 * US_PER_S)

struct side {
    struct store *store;
    struct db *db;
    struct list jobs;
    struct list finished;
    size_t batch_max;
    bool busy;
};

struct store {
    struct loop *loop;
    int incarnation;
    struct store_options options;
    struct batch_source source;
    struct store_listener listener;
    struct side reads;
    struct side writes;
    size_t waiting;
};

static void next_turn(struct side *side);

static bool is_gone(const struct store *store)
{
    return store->incarnation != service.incarnation || !service.up;
}

static void finish(struct task *task)
{
    struct store_job *job = CONTAINER_OF(task, struct store_job, task);
    batch_finish(job, &job->store->listener);
}

static void give_back(void *context)
{
    struct side *side = context;
    struct store *store = side->store;
    if (is_gone(store)) {
        return;
    }
    for (struct list *node; (node = list_take_first(&side->finished)) != NULL;) {
        struct task *task = CONTAINER_OF(node, struct task, link);
        CONTAINER_OF(task, struct store_job, task)->store = store;
        task->run = finish;
        store->waiting--;
        loop_post(store->loop, task);
    }
    side->busy = false;
    next_turn(side);
}

static void take_turn(void *context)
{
    struct side *side = context;
    if (is_gone(side->store)) {
        return;
    }
    size_t count = 0;
    while (count < side->batch_max && !list_empty(&side->jobs)) {
        list_append(&side->finished, list_take_first(&side->jobs));
        count++;
    }
    if (count > 1) {
        batch_write(&side->store->source, side->db, &side->finished);
    } else {
        batch_alone(&side->store->source, side->db,
                    CONTAINER_OF(side->finished.next, struct store_job, task.link));
    }
    if (side == &side->store->writes && random_below(100) == 0) { // as the keeper does when the log is long
        side->db->driver->copy_log(side->db);
    }
    world_after(random_between(0, TURN_US_MAX), give_back, side);
}

static void next_turn(struct side *side)
{
    if (!side->busy && !list_empty(&side->jobs)) {
        side->busy = true;
        world_after(random_between(0, fault_one_in(500) ? STALL_US_MAX : TURN_US_MAX), take_turn, side);
    }
}

static enum errc open_side(struct store *store, struct side *side, bool writable, size_t batch_max,
                           struct err *err)
{
    side->store = store;
    side->batch_max = batch_max;
    list_init(&side->jobs);
    list_init(&side->finished);
    return sqlite_driver.open(store->options.database, writable, &side->db, err);
}

enum errc store_open(struct loop *loop, const struct store_options *options, struct store **out,
                     struct err *err)
{
    struct store *store = calloc(1, sizeof(*store));
    REQUIRE(store != NULL);
    store->loop = loop;
    store->incarnation = service.incarnation;
    store->options = *options;
    store->source =
        (struct batch_source){.loop = loop, .random = options->random, .keyring = options->keyring};
    enum errc rc = open_side(store, &store->writes, true, options->batch_max, err);
    if (rc == OK) {
        rc = migrate(store->writes.db, err);
    }
    if (rc == OK) {
        rc = open_side(store, &store->reads, false, 1, err);
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
    struct side *side = job->queue == STORE_WRITE ? &store->writes : &store->reads;
    store->waiting++;
    list_append(&side->jobs, &job->task.link);
    next_turn(side);
}

bool store_submit(struct store *store, struct store_job *job)
{
    if (store->waiting >= store->options.queue_max) {
        return false;
    }
    store_submit_always(store, job);
    return true;
}

bool store_in_place(const struct store *store)
{
    (void)store;
    return true; // nobody touches the simulated disk's files
}

size_t store_waiting(const struct store *store)
{
    return store->waiting;
}
