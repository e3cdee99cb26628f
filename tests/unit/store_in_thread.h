// A store whose jobs run in the test's own thread, as the virtual loop comes to them.
#pragma once

#include "fake_loop.h"
#include "scratch.h"

#include "store/store.h"

// `keyring` may be NULL where nothing is sealed.
static inline struct store *store_in_thread(struct fake_loop *loop, const struct scratch *scratch,
                                            const struct keyring *keyring)
{
    const struct store_options options = {.database = scratch->database,
                                          .queue_max = 1000,
                                          .batch_max = 100,
                                          .random = &random_system,
                                          .keyring = keyring};
    struct store *store = NULL;
    struct err err = {0};
    if (store_open(&loop->base, &options, &store, &err) != OK) {
        fail_msg("%s", err.message);
    }
    return store;
}

// A job that a test waits for.
struct awaited {
    struct store_job job;
    bool done;
};

static inline void awaited_done(struct store_job *job)
{
    CONTAINER_OF(job, struct awaited, job)->done = true;
}

// Runs the loop until the commit; tasks posted after it have not run yet. The job's result.
static inline enum errc store_await(struct store *store, struct fake_loop *loop, struct awaited *awaited)
{
    awaited->job.queue = STORE_WRITE;
    awaited->job.done = awaited_done;
    store_submit_always(store, &awaited->job);
    while (!awaited->done) {
        fake_loop_run_task(loop);
    }
    return awaited->job.result;
}
