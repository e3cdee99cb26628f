// A queue of jobs between the loop thread and database threads.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct job_queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct list jobs;
    bool closing;
};

void job_queue_init(struct job_queue *queue);
// It must be empty, and its threads must have ended.
void job_queue_destroy(struct job_queue *queue);

void job_queue_add(struct job_queue *queue, struct list *job);

// Waits for a job, then moves up to `max` jobs to the end of `taken`. Zero: the queue is closed and empty.
size_t job_queue_take(struct job_queue *queue, struct list *taken, size_t max);

// From now on job_queue_take returns what is left, then zero.
void job_queue_close(struct job_queue *queue);
