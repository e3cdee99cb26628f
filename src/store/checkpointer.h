// Keeps the database's write-ahead log short without making the writer wait for it.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store/driver.h"

struct checkpointer {
    struct db *db; // a connection of its own
    pthread_t thread;
    bool started;
    bool ordered; // the writer's: the thread copies, or has done so
    sem_t orders;
    sem_t done;
    atomic_bool stopping;
};

// After this, it may be stopped even if it was never opened.
void checkpointer_init(struct checkpointer *checkpointer);
enum errc checkpointer_open(struct checkpointer *checkpointer, const struct db_driver *driver,
                            const char *database, struct err *err) MUST_CHECK;
enum errc checkpointer_start(struct checkpointer *checkpointer, struct err *err) MUST_CHECK;

// Call after each batch, when its answers are out. Waits only if the log grows faster than it can be copied.
// The thread that owns `writer`.
void checkpointer_tend(struct checkpointer *checkpointer, struct db *writer);

// Waits for the thread and closes the connection.
void checkpointer_stop(struct checkpointer *checkpointer);
