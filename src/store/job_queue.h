// A queue of jobs between the loop thread and database threads.
//
// Only so many requests' jobs are out at the same time: taken, and not yet finished by the loop. So requests
// wait here also if it is the loop that falls behind: here owners take turns, and the wait is measured.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "store/fair_queue.h"

struct job_queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct list jobs;           // the service's own
    struct fair_queue requests; // after them
    size_t count;               // of both
    size_t requests_out;        // requests' jobs that were taken, and that the loop has not finished
    size_t requests_out_max;
    struct loop *loop; // for its clock
    bool closing;
};

// wait_max_us: of the requests' jobs, as in fair_queue.h. requests_out_max: so many may be out.
void job_queue_init(struct job_queue *queue, struct loop *loop, int64_t wait_max_us, size_t requests_out_max);
// It must be empty, and its threads must have ended.
void job_queue_destroy(struct job_queue *queue);

// Adds one job, a request's in its owner's turn, and wakes nobody.
void job_queue_add_job(struct job_queue *queue, struct store_job *job);
// The loop has finished so many requests' jobs. Wakes as many threads as there may be jobs for.
void job_queue_wake(struct job_queue *queue, size_t finished);
// Whether the owner's requests may add one more, where `room` more fit in.
bool job_queue_admits(struct job_queue *queue, uint64_t owner, size_t room) MUST_CHECK;

// Waits for a job that may be taken, then moves up to `max` jobs to the end of `taken`, but no more than the
// part of one of `threads` that share the queue. Zero: the queue is closed and empty.
size_t job_queue_take(struct job_queue *queue, struct list *taken, size_t max, size_t threads);

// Moves the rest of what was taken back before the jobs that wait, and wakes threads for it.
void job_queue_return(struct job_queue *queue, struct list *jobs);

// From now on job_queue_take returns what is left, then zero.
void job_queue_close(struct job_queue *queue);
