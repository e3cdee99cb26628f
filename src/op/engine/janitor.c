// Regular small work, in one small transaction every reconcile_interval_ms: applies events that waited for
// their payment, reports cards that expire, counts for the metrics, and records that the service is alive.
// Loop thread, except functions that take a struct tx.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"
#include "op/state/card_change.h"
#include "op/state/inbound.h"
#include "store/merchants.h"
#include "store/meta.h"
#include "store/outbox.h"

// How often it is recorded that the service is alive. After a stop, events since the last record are fetched.
#define ALIVE_EVERY_US (60 * US_PER_S)
// From one run to the next while the database cannot be written.
#define UNWRITABLE_EVERY_US US_PER_S

struct janitor {
    struct engine *engine;
    struct timer timer;
    struct store_job job;
    struct arena arena;
    bool writes_alive;           // this run records that the service is alive
    int64_t alive_us;            // wall clock, when that was last recorded; 0: not yet
    bool first;                  // no run has succeeded yet
    int64_t clock_us;            // wall clock minus monotonic clock, when a step of the clock was last seen
    int64_t back_us;             // by how much the clock was set back since the last run that succeeded
    struct engine_stats counted; // by the kinds, in this run
};

// The clock was set back: brings forward the times that were stored by the clock that was ahead. Operations
// have rules of their own (sweep.c).
static enum errc follow_clock(struct janitor *janitor, struct tx *tx, struct err *err)
{
    int64_t now_us = tx->now_us;
    int64_t back_us = janitor->back_us;
    if (janitor->first && !store_is_shared(janitor->engine->options.store)) {
        int64_t alive_us = 0;
        enum errc rc = meta_alive_get(tx->db, &alive_us, err);
        if (rc != OK) {
            return rc;
        }
        back_us = alive_us > now_us ? alive_us - now_us : 0;
    } else if (back_us == 0 && !janitor->first) {
        return OK;
    }
    tx->event_due = !janitor->first; // events may be due
    enum errc rc = outbox_clock_set_back(tx->db, now_us, back_us, err);
    return rc == OK ? merchants_clock_set_back(tx->db, now_us, err) : rc;
}

// What two nodes must not do at the same time.
static enum errc run_turn(struct janitor *janitor, struct tx *tx, struct err *err)
{
    bool mine = false;
    enum errc rc = meta_take_turn(tx->db, "janitor", &mine, err);
    if (rc != OK || !mine) {
        return rc;
    }
    rc = follow_clock(janitor, tx, err);
    if (rc == OK) {
        rc = inbound_apply_kept(tx, err);
    }
    return rc == OK ? card_emit_expiring(tx, err) : rc;
}

static enum errc run_janitor(struct store_job *job, struct tx *tx, struct err *err)
{
    struct janitor *janitor = CONTAINER_OF(job, struct janitor, job);
    arena_release(&janitor->arena);
    enum errc rc = run_turn(janitor, tx, err);
    for (const struct op_kind *const *kind = janitor->engine->options.kinds; rc == OK && *kind != NULL;
         kind++) {
        rc = (*kind)->count != NULL ? (*kind)->count(tx, &janitor->counted, err) : OK;
    }
    return rc == OK && janitor->writes_alive ? meta_alive_put(tx->db, tx->now_us, err) : rc;
}

// Sets whether the database can be written, and logs each change once.
static void update_writable(struct janitor *janitor)
{
    struct engine *engine = janitor->engine;
    if (janitor->job.result != OK && !errc_is_store(janitor->job.result)) {
        LOG(LOG_ERROR, "the periodic maintenance failed", LOG_STR("error", janitor->job.err.message));
        return;
    }
    if (errc_is_store(janitor->job.result)) {
        if (!engine->unwritable) {
            LOG(LOG_ERROR, "the database cannot be written: the service is not ready until it can",
                LOG_STR("error", janitor->job.err.message));
        }
        engine->unwritable = true;
        return;
    }
    if (!janitor->writes_alive) {
        return;
    }
    if (engine->unwritable) {
        LOG(LOG_WARN, "the database can be written again");
    }
    engine->unwritable = false;
    engine->write_failed = false;
    janitor->alive_us = janitor->job.tx.now_us;
}

static void janitor_done(struct store_job *job)
{
    struct janitor *janitor = CONTAINER_OF(job, struct janitor, job);
    struct engine *engine = janitor->engine;
    update_writable(janitor);
    if (job->result == OK) {
        janitor->first = false;
        janitor->back_us = 0;
        engine->stats.held = janitor->counted.held;
        engine->stats.lacking = janitor->counted.lacking;
    }
    engine->stats.in_flight--;
    if (!engine->draining) {
        const int64_t every_us = engine->options.config->reconcile_interval_ms * US_PER_MS;
        const bool soon = engine->unwritable && every_us > UNWRITABLE_EVERY_US;
        timer_start(engine->options.loop, &janitor->timer, soon ? UNWRITABLE_EVERY_US : every_us);
    }
}

static void janitor_run(struct timer *timer)
{
    struct janitor *janitor = CONTAINER_OF(timer, struct janitor, timer);
    struct engine *engine = janitor->engine;
    if (engine->draining) {
        return;
    }
    engine->stats.in_flight++;
    int64_t now_us = loop_wall_us(engine->options.loop);
    int64_t clock_us = now_us - loop_mono_us(engine->options.loop);
    int64_t step_us = clock_us - janitor->clock_us;
    if (step_us > CLOCK_STEP_US || step_us < -CLOCK_STEP_US) {
        janitor->clock_us = clock_us;
        janitor->back_us -= step_us < 0 ? step_us : 0;
    }
    int64_t since_us = now_us - janitor->alive_us;
    janitor->writes_alive =
        engine->ready && // the record of the process before was read
        (engine->unwritable || engine->write_failed || since_us < 0 || since_us >= ALIVE_EVERY_US);
    janitor->job = (struct store_job){
        .queue = STORE_WRITE, .run = run_janitor, .done = janitor_done, .arena = &janitor->arena};
    store_submit_always(engine->options.store, &janitor->job);
}

struct janitor *janitor_open(struct engine *engine)
{
    struct janitor *janitor = calloc(1, sizeof(*janitor));
    REQUIRE(janitor != NULL);
    janitor->engine = engine;
    janitor->first = true;
    janitor->clock_us = loop_wall_us(engine->options.loop) - loop_mono_us(engine->options.loop);
    timer_init(&janitor->timer, janitor_run);
    return janitor;
}

void janitor_free(struct janitor *janitor)
{
    timer_stop(janitor->engine->options.loop, &janitor->timer);
    arena_release(&janitor->arena);
    free(janitor);
}

void janitor_start(struct janitor *janitor)
{
    timer_start(janitor->engine->options.loop, &janitor->timer, 0);
}

void engine_write_failed(struct engine *engine)
{
    engine->write_failed = true;
}
