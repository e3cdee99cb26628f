// The requests' jobs that wait for database threads. Owners take turns, one job each, so that an owner with
// thousands of jobs delays the others by one job a round. Each owner's own waiting time decides whether it
// may add more, as FQ-CoDel does with packets (RFC 8290): a burst may wait longer, but once a new job would
// have waited too long for three seconds on end, further ones are refused until the wait is short again. The
// expected wait comes from the owner's last job that was taken: how long it had waited, behind how many
// others. The caller locks it; times are monotonic.
#pragma once

#include <stdbool.h>

#include "base/table.h"
#include "store/job.h"

struct fair_queue {
    struct list turns;   // the owners that have jobs here, the next one first
    struct table owners; // the same owners, by their numbers
    size_t count;
    int64_t wait_max_us; // 0: no limit
};

void fair_queue_init(struct fair_queue *queue, int64_t wait_max_us);
void fair_queue_release(struct fair_queue *queue); // it must be empty

// Whether the job's owner may add one now, where `room` more jobs fit in.
bool fair_queue_admits(struct fair_queue *queue, uint64_t owner, size_t room, int64_t now_us);
// Adds the job, even if it is not admitted.
void fair_queue_add(struct fair_queue *queue, struct store_job *job, int64_t now_us);
// The next job, taken out; NULL: there is none.
struct store_job *fair_queue_take(struct fair_queue *queue, int64_t now_us);
