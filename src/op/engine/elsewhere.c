// Callers who wait here for an operation that another node has under way, or that no node has under way now.
// Whether it is closed is read from the database: one job every POLL_US for all of them. Then its kind
// answers from the database, as it does when patience ends. Loop thread, except ask_look and run_look.
#include <stdlib.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"

#define POLL_US (100 * US_PER_MS)
// Callers looked after by one job; the next job goes on with the others.
#define LOOK_MAX 256

struct elsewhere {
    struct engine *engine;
    struct timer timer;
    struct store_job job;
    struct op_key keys[LOOK_MAX];
    bool closed[LOOK_MAX];
    size_t count;
    size_t passed; // callers whom the jobs before this one have looked after
};

// So that they all wait for one answer.
static void ask_look(struct store_job *job, struct tx *tx)
{
    const struct elsewhere *elsewhere = CONTAINER_OF(job, struct elsewhere, job);
    for (size_t i = 0; i < elsewhere->count; i++) {
        const struct op_key *key = &elsewhere->keys[i];
        struct err ignored;
        bool open = false;
        db_asked(operation_is_open(tx->db, &key->subject_id, key->kind->name, &open, &ignored));
    }
}

static enum errc run_look(struct store_job *job, struct tx *tx, struct err *err)
{
    struct elsewhere *elsewhere = CONTAINER_OF(job, struct elsewhere, job);
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < elsewhere->count; i++) {
        const struct op_key *key = &elsewhere->keys[i];
        bool open = false;
        rc = operation_is_open(tx->db, &key->subject_id, key->kind->name, &open, err);
        elsewhere->closed[i] = !open;
    }
    return rc;
}

static void looked(struct store_job *job)
{
    struct elsewhere *elsewhere = CONTAINER_OF(job, struct elsewhere, job);
    struct engine *engine = elsewhere->engine;
    for (size_t i = 0; job->result == OK && i < elsewhere->count; i++) {
        if (elsewhere->closed[i] && !op_is_under_way(engine, &elsewhere->keys[i])) {
            op_time_out(engine, &elsewhere->keys[i]);
        }
    }
    timer_start(engine->options.loop, &elsewhere->timer, POLL_US);
}

static void choose(struct elsewhere *elsewhere)
{
    struct engine *engine = elsewhere->engine;
    size_t index = 0;
    elsewhere->count = 0;
    LIST_EACH_SAFE(&engine->waiting, link, after)
    {
        const struct op_waiter *waiter = CONTAINER_OF(link, struct op_waiter, link);
        const struct op_key key = op_key(waiter->kind, &waiter->subject_id);
        if (elsewhere->count < LOOK_MAX && !op_is_under_way(engine, &key) && index++ >= elsewhere->passed) {
            elsewhere->keys[elsewhere->count++] = key;
        }
    }
    elsewhere->passed = elsewhere->count == LOOK_MAX ? elsewhere->passed + LOOK_MAX : 0;
}

static void look(struct timer *timer)
{
    struct elsewhere *elsewhere = CONTAINER_OF(timer, struct elsewhere, timer);
    choose(elsewhere);
    if (elsewhere->count == 0) {
        timer_start(elsewhere->engine->options.loop, timer, POLL_US);
        return;
    }
    elsewhere->job =
        (struct store_job){.queue = STORE_READ, .run = run_look, .ahead = ask_look, .done = looked};
    store_submit_always(elsewhere->engine->options.store, &elsewhere->job);
}

struct elsewhere *elsewhere_open(struct engine *engine)
{
    struct elsewhere *elsewhere = calloc(1, sizeof(*elsewhere));
    REQUIRE(elsewhere != NULL);
    elsewhere->engine = engine;
    timer_init(&elsewhere->timer, look);
    if (store_is_shared(engine->options.store)) {
        timer_start(engine->options.loop, &elsewhere->timer, POLL_US);
    }
    return elsewhere;
}

void elsewhere_free(struct elsewhere *elsewhere)
{
    timer_stop(elsewhere->engine->options.loop, &elsewhere->timer);
    free(elsewhere);
}
