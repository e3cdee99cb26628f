// Keeps the database's write-ahead log short without making the writer wait for it.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "store/driver.h"
#include "store/job_queue.h"

struct checkpointer {
    struct db *db; // a connection of its own
    pthread_t thread;
    bool started;
    atomic_int progress;
    struct job_queue orders;
    struct list order; // the only order
};

// After this, it may be stopped even if it was never opened.
void checkpointer_init(struct checkpointer *checkpointer);
enum errc checkpointer_open(struct checkpointer *checkpointer, const struct db_driver *driver,
                            const char *database, struct err *err) MUST_CHECK;
enum errc checkpointer_start(struct checkpointer *checkpointer, struct err *err) MUST_CHECK;

// Call after each batch, when its answers are out. The thread that owns `writer`.
void checkpointer_tend(struct checkpointer *checkpointer, struct db *writer);

// Waits for the thread and closes the connection.
void checkpointer_stop(struct checkpointer *checkpointer);
