// Slow chores, in one small transaction every interval: events that waited for their payment, cards that
// expire, answers and events grown old, a note that the service runs. Loop thread, but for the run_
// functions.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"
#include "op/state/card_change.h"
#include "op/state/inbound.h"
#include "store/idempotency.h"
#include "store/inbox.h"
#include "store/merchants.h"
#include "store/meta.h"
#include "store/outbox.h"

// Answers older than this are pruned; from then a repeat is answered with the payment as it is.
#define REPLY_KEPT_US (48 * 3600 * US_PER_S)
// Events older than this are forgotten. The provider itself keeps and sends them for 30 days.
#define EVENT_KEPT_US (35 * 24 * 3600 * US_PER_S)
#define PRUNE_MAX 500
// What happened since this was last noted may have been missed.
#define ALIVE_EVERY_US (60 * US_PER_S)

struct janitor {
    struct engine *engine;
    struct timer timer;
    struct store_job job;
    struct arena arena;
    bool notes_alive;
    int64_t alive_us;            // wall clock, when it was last noted; 0: not yet
    bool first;                  // none has succeeded
    int64_t clock_us;            // the wall clock less the monotonic one, when it was last seen to be set
    struct engine_stats counted; // by the kinds, in the run under way
    int64_t back_us;             // by how much it was set back since the last that succeeded
};

// Times to act that were stored by a clock that was ahead come when they should. Operations have rules of
// their own (sweep.c).
static enum errc follow_clock(struct janitor *janitor, struct tx *tx, struct err *err)
{
    int64_t now_us = tx->now_us;
    int64_t back_us = janitor->back_us;
    if (janitor->first) {
        int64_t alive_us = 0;
        enum errc rc = meta_alive_get(tx->db, &alive_us, err);
        if (rc != OK) {
            return rc;
        }
        back_us = alive_us > now_us ? alive_us - now_us : 0;
    } else if (back_us == 0) {
        return OK;
    }
    tx->event_written = !janitor->first; // events may be due
    enum errc rc = outbox_clock_set_back(tx->db, now_us, back_us, err);
    return rc == OK ? merchants_clock_set_back(tx->db, now_us, err) : rc;
}

static enum errc run_janitor(struct store_job *job, struct tx *tx, struct err *err)
{
    struct janitor *janitor = CONTAINER_OF(job, struct janitor, job);
    arena_release(&janitor->arena);
    int64_t now_us = tx->now_us;
    enum errc rc = follow_clock(janitor, tx, err);
    if (rc == OK) {
        rc = inbound_apply_kept(tx, err);
    }
    if (rc == OK) {
        rc = card_emit_expiring(tx, err);
    }
    if (rc == OK) {
        rc = inbox_prune(tx->db, now_us - EVENT_KEPT_US, PRUNE_MAX, err);
    }
    for (const struct op_kind *const *kind = janitor->engine->options.kinds; rc == OK && *kind != NULL;
         kind++) {
        rc = (*kind)->count != NULL ? (*kind)->count(tx, &janitor->counted, err) : OK;
    }
    if (rc == OK && janitor->notes_alive) {
        rc = meta_alive_put(tx->db, now_us, err);
    }
    int64_t removed = 0;
    return rc == OK ? reply_prune(tx->db, now_us - REPLY_KEPT_US, PRUNE_MAX, &removed, err) : rc;
}

// Says once that the database cannot be written, and once that it can again.
static void note_whether_writable(struct janitor *janitor)
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
    if (!janitor->notes_alive) {
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
    note_whether_writable(janitor);
    if (job->result == OK) {
        janitor->first = false;
        janitor->back_us = 0;
        engine->stats.held = janitor->counted.held;
        engine->stats.lacking = janitor->counted.lacking;
    }
    engine->stats.in_flight--;
    if (!engine->draining) {
        timer_start(engine->options.loop, &janitor->timer,
                    engine->options.config->reconcile_interval_ms * US_PER_MS);
    }
}

static void look_at_clocks(struct janitor *janitor)
{
    struct loop *loop = janitor->engine->options.loop;
    int64_t clock_us = loop_wall_us(loop) - loop_mono_us(loop);
    int64_t step_us = clock_us - janitor->clock_us;
    if (step_us > CLOCK_STEP_US || step_us < -CLOCK_STEP_US) {
        janitor->clock_us = clock_us;
        janitor->back_us -= step_us < 0 ? step_us : 0;
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
    look_at_clocks(janitor);
    int64_t since_us = loop_wall_us(engine->options.loop) - janitor->alive_us;
    janitor->notes_alive =
        engine->ready && // what the process before noted was read
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
