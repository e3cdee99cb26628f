// Jobs and transactions: which jobs share one, and what becomes of each when something fails.
#pragma once

#include "base/list.h"
#include "store/store.h"

// What every transaction of a store is given.
struct batch_source {
    struct loop *loop; // its wall clock
    struct random *random;
    const struct keyring *keyring;
};

// Runs the jobs (linked by task.link, at least one) in one write transaction and sets each one's result. A
// job that fails undoes only itself; where the transaction itself fails, every job gets ERR_STORE or
// ERR_STORE_BUSY and the reason. Blocking.
void batch_write(const struct batch_source *source, struct db *db, struct list *jobs);

// Runs none of them: each gets this reason, and ERR_STORE_BUSY where that is its code, otherwise ERR_STORE.
void batch_refuse(struct list *jobs, const struct err *err);

// Runs one job inside a transaction that is open, and undoes nothing.
enum errc batch_run(const struct batch_source *source, struct db *db, struct store_job *job) MUST_CHECK;

// Runs one job in a transaction of its own.
void batch_alone(const struct batch_source *source, struct db *db, struct store_job *job);

// Back on the loop: what its commit triggers, then its `done`, after which the job may be gone.
void batch_finish(struct store_job *job, const struct store_listener *listener);
