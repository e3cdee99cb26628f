// What the files of the store share: store.c moves jobs to the database threads and back, store_open.c opens
// and closes the connections and starts the threads.
#pragma once

#include <stdatomic.h>

#include "store/batch.h"
#include "store/checkpointer.h"
#include "store/driver.h"
#include "store/job_queue.h"
#include "store/store.h"
#include "store/worker.h"

struct writer {
    struct worker worker;
    struct job_queue jobs;
    size_t finished; // requests' jobs, in this turn of the loop
    struct store *store;
};

struct store {
    struct loop *loop;
    struct store_options options;
    struct batch_source source;
    struct store_listener listener;
    const struct db_driver *driver;
    int claim;
    bool closed;
    atomic_size_t waiting; // unfinished jobs of all queues
    struct job_queue reads;
    struct task turn_end;  // of the loop's turn
    size_t reads_finished; // requests' jobs, in this turn
    bool place_known;      // in this turn
    bool is_in_place;
    struct writer writers[DB_WRITERS_MAX]; // as many as the driver says
    int last_writer;                       // of a request that is about nothing yet
    struct checkpointer checkpointer;
    struct worker *readers;
};

// What the threads of the writers and of the readers run. Their worker's context is the writer, or the store.
void *store_write_jobs(void *argument);
void *store_read_jobs(void *argument);
// At the end of the loop's turn: wakes the threads.
void store_end_turn(struct task *task);
