// A database connection and the thread that owns it. Opened and closed by the loop thread, while its own does
// not run.
#pragma once

#include <pthread.h>

#include "store/driver.h"

struct worker {
    struct db *db; // NULL: not open
    pthread_t thread;
    bool started;
    void *context;
};

enum errc worker_open(struct worker *worker, const struct db_driver *driver, const char *database,
                      bool writable, struct err *err) MUST_CHECK;
// The thread runs `run` with the worker, whose context it finds there.
enum errc worker_start(struct worker *worker, void *(*run)(void *worker), void *context, const char *name,
                       struct err *err) MUST_CHECK;
void worker_join(struct worker *worker);
void worker_close(struct worker *worker);
