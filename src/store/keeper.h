// Keeps the database's write-ahead log short without making the writer wait for it.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "store/driver.h"
#include "store/lane.h"

struct keeper {
    struct db *db; // a connection of its own
    pthread_t thread;
    bool started;
    atomic_int progress;
    struct lane orders;
    struct list order; // the only one there ever is
};

// A keeper that was not opened yet may be stopped and destroyed.
void keeper_init(struct keeper *keeper);
enum errc keeper_open(struct keeper *keeper, const struct db_driver *driver, const char *database,
                      struct err *err) MUST_CHECK;
enum errc keeper_start(struct keeper *keeper, struct err *err) MUST_CHECK;

// After each batch, when its answers are out. The thread that owns `writer`.
void keeper_tend(struct keeper *keeper, struct db *writer);

// Waits for the thread and closes the connection.
void keeper_stop(struct keeper *keeper);
