// Slow chores, in one small transaction every interval: events that waited for their payment, cards that
// expire, answers and events grown old, a note that the service runs. Loop thread, but for the run_
// functions.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/card.h"
#include "op/engine.h"
#include "op/inbound.h"
#include "store/catch_ups.h"
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

struct chores {
    struct engine *engine;
    struct timer timer;
    struct store_job job;
    struct arena arena;
    bool notes_alive;
    int64_t alive_us; // wall clock, when it was last noted; 0: not yet
    bool first;       // none has succeeded
    int64_t clock_us; // the wall clock less the monotonic one, when it was last seen to be set
    int64_t held;     // accounts that are held (catch_up.h), and those that are known to lack something
    int64_t lacking;
    int64_t back_us; // by how much it was set back since the last that succeeded
};

// Times to act that were stored by a clock that was ahead come when they should. Operations have rules of
// their own (reconcile.c).
static enum errc follow_clock(struct chores *chores, struct tx *tx, struct err *err)
{
    int64_t now_us = tx->now_us;
    int64_t back_us = chores->back_us;
    if (chores->first) {
        int64_t alive_us = 0;
        enum errc rc = meta_alive_get(tx->db, &alive_us, err);
        if (rc != OK) {
            return rc;
        }
        back_us = alive_us > now_us ? alive_us - now_us : 0;
    } else if (back_us == 0) {
        return OK;
    }
    tx->event_written = !chores->first; // events may be due
    enum errc rc = outbox_clock_set_back(tx->db, now_us, back_us, err);
    return rc == OK ? merchants_clock_set_back(tx->db, now_us, err) : rc;
}

static enum errc run_chores(struct store_job *job, struct tx *tx, struct err *err)
{
    struct chores *chores = CONTAINER_OF(job, struct chores, job);
    arena_release(&chores->arena);
    int64_t now_us = tx->now_us;
    enum errc rc = follow_clock(chores, tx, err);
    if (rc == OK) {
        rc = inbound_apply_kept(tx, err);
    }
    if (rc == OK) {
        rc = card_tell_expiring(tx, err);
    }
    if (rc == OK) {
        rc = inbox_prune(tx->db, now_us - EVENT_KEPT_US, PRUNE_MAX, err);
    }
    if (rc == OK) {
        rc = catch_ups_count(tx->db, op_catch_up.name, &chores->held, &chores->lacking, err);
    }
    if (rc == OK && chores->notes_alive) {
        rc = meta_alive_put(tx->db, now_us, err);
    }
    int64_t removed = 0;
    return rc == OK ? reply_prune(tx->db, now_us - REPLY_KEPT_US, PRUNE_MAX, &removed, err) : rc;
}

// Says once that the database cannot be written, and once that it can again.
static void note_whether_writable(struct chores *chores)
{
    struct engine *engine = chores->engine;
    if (chores->job.result != OK && !errc_is_store(chores->job.result)) {
        LOG(LOG_ERROR, "the regular chores failed", LOG_STR("error", chores->job.err.message));
        return;
    }
    if (errc_is_store(chores->job.result)) {
        if (!engine->unwritable) {
            LOG(LOG_ERROR, "the database cannot be written: not ready until it can",
                LOG_STR("error", chores->job.err.message));
        }
        engine->unwritable = true;
        return;
    }
    if (!chores->notes_alive) {
        return;
    }
    if (engine->unwritable) {
        LOG(LOG_WARN, "the database can be written again");
    }
    engine->unwritable = false;
    engine->write_failed = false;
    chores->alive_us = chores->job.tx.now_us;
}

static void chores_done(struct store_job *job)
{
    struct chores *chores = CONTAINER_OF(job, struct chores, job);
    struct engine *engine = chores->engine;
    note_whether_writable(chores);
    if (job->result == OK) {
        chores->first = false;
        chores->back_us = 0;
        engine->stats.held = chores->held;
        engine->stats.lacking = chores->lacking;
    }
    engine->stats.in_flight--;
    if (!engine->draining) {
        timer_start(engine->options.loop, &chores->timer,
                    engine->options.config->reconcile_interval_ms * US_PER_MS);
    }
}

static void look_at_clocks(struct chores *chores)
{
    struct loop *loop = chores->engine->options.loop;
    int64_t clock_us = loop_wall_us(loop) - loop_mono_us(loop);
    int64_t step_us = clock_us - chores->clock_us;
    if (step_us > CLOCK_STEP_US || step_us < -CLOCK_STEP_US) {
        chores->clock_us = clock_us;
        chores->back_us -= step_us < 0 ? step_us : 0;
    }
}

static void do_chores(struct timer *timer)
{
    struct chores *chores = CONTAINER_OF(timer, struct chores, timer);
    struct engine *engine = chores->engine;
    if (engine->draining) {
        return;
    }
    engine->stats.in_flight++;
    look_at_clocks(chores);
    int64_t since_us = loop_wall_us(engine->options.loop) - chores->alive_us;
    chores->notes_alive =
        engine->ready && // what the process before noted was read
        (engine->unwritable || engine->write_failed || since_us < 0 || since_us >= ALIVE_EVERY_US);
    chores->job = (struct store_job){
        .lane = STORE_WRITE, .run = run_chores, .done = chores_done, .arena = &chores->arena};
    store_submit_always(engine->options.store, &chores->job);
}

struct chores *chores_open(struct engine *engine)
{
    struct chores *chores = calloc(1, sizeof(*chores));
    REQUIRE(chores != NULL);
    chores->engine = engine;
    chores->first = true;
    chores->clock_us = loop_wall_us(engine->options.loop) - loop_mono_us(engine->options.loop);
    timer_init(&chores->timer, do_chores);
    return chores;
}

void chores_free(struct chores *chores)
{
    timer_stop(chores->engine->options.loop, &chores->timer);
    arena_release(&chores->arena);
    free(chores);
}

void chores_start(struct chores *chores)
{
    timer_start(chores->engine->options.loop, &chores->timer, 0);
}

void engine_write_failed(struct engine *engine)
{
    engine->write_failed = true;
}
