// Jobs and transactions: which jobs share one, and what becomes of each when something fails.
#pragma once

#include "base/list.h"
#include "store/store.h"

// Runs the jobs (linked by task.link, at least one) in one write transaction and sets each one's result. A
// job that fails undoes only itself; where the transaction itself fails, every job gets ERR_STORE or
// ERR_STORE_BUSY and the reason. Blocking.
void batch_write(struct db *db, struct list *jobs);

// Runs none of them: each gets this reason, and ERR_STORE_BUSY where that is its code, otherwise ERR_STORE.
void batch_refuse(struct list *jobs, const struct err *err);

// Runs one job in a transaction of its own.
void batch_alone(struct db *db, struct store_job *job);
