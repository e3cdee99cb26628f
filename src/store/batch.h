// Runs jobs in transactions: decides which jobs share one, and what happens to each if something fails.
#pragma once

#include "base/list.h"
#include "store/job.h"

// What a store gives to each of its transactions.
struct node;

struct batch_source {
    struct loop *loop; // its wall clock
    struct random *random;
    const struct keyring *keyring;
    const struct event_listener *events;
    struct node *node; // NULL: this process is the only one that serves the database
};

// Runs the jobs (linked by task.link, at least one) in one write transaction and sets their results. A job
// that fails undoes only itself. If the transaction fails, every job gets ERR_STORE or ERR_STORE_BUSY and the
// reason. Moves those that lost a conflict with another connection's transaction to the end of `losers`, if
// they may run again. Blocking.
void batch_write(const struct batch_source *source, struct db *db, struct list *jobs, struct list *losers);

// A job that lost a conflict has changed nothing. It runs again, alone: then it waits for others, and others
// wait for it, only as long as it takes by itself. Sets its result. Blocking, for seconds.
void batch_write_loser(const struct batch_source *source, struct db *db, struct store_job *job);

// Runs the jobs, which only read, in one transaction, until they have taken 1 ms together, and sets their
// results. Moves those that ran to the end of `finished`, at least one, and returns their number. What fails
// in one job does not reach the others. Blocking.
size_t batch_read(const struct batch_source *source, struct db *db, struct list *jobs, struct list *finished);

// Runs none of them: each gets this error as ERR_STORE_BUSY, if that is its code, or else as ERR_STORE.
void batch_refuse(struct list *jobs, const struct err *err);

// Runs one job inside the open transaction, and undoes nothing if it fails.
enum errc batch_run(const struct batch_source *source, struct db *db, struct store_job *job) MUST_CHECK;

// Runs one job in a transaction of its own.
void batch_alone(const struct batch_source *source, struct db *db, struct store_job *job);

// Loop thread: calls what the commit triggers, then the job's `done`, which may free the job.
void batch_finish(struct store_job *job, const struct store_listener *listener);
