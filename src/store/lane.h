// A queue of jobs between the loop thread and database threads.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct lane {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct list jobs;
    bool closing;
};

void lane_init(struct lane *lane);
// Must be empty, its threads gone.
void lane_destroy(struct lane *lane);

void lane_add(struct lane *lane, struct list *job);

// Moves up to max jobs to the end of `taken`; waits for the first. Zero: the lane is closed and empty.
size_t lane_take(struct lane *lane, struct list *taken, size_t max);

// Who waits in lane_take gets what is left, then zero.
void lane_close(struct lane *lane);
