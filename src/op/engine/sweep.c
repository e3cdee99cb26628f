// What is due: one sweep claims the open operations whose time has come and runs them through the same code
// as the first time. A crash needs nothing else: the row is there, its lease ends, the sweep finds it. Loop
// thread, but for the run_ functions.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"
#include "store/meta.h"
#include "store/nodes.h"

// Claimed at once; more are claimed as these end, within operations_max.
#define CLAIM_MAX 64
// Of the calls at once at most this part are of a background kind; one that finds no room waits this long.
#define BACKGROUND_PART 16
#define BACKGROUND_AGAIN_US (10 * US_PER_S)

// A claim under way. Everything in it is made anew when the job runs again.
struct claim {
    struct engine *engine;
    struct store_job job;
    struct arena arena;
    int64_t trials; // store_trials when what others left was last taken up; 0: never
    int64_t trials_now;
    int64_t step_us; // by how much the wall clock was set since the last claim that succeeded; 0: it was not
    int64_t now_us;
    size_t max;
    int64_t background_max;
    int64_t background; // operations of background kinds, claimed so far
    struct op *ops[CLAIM_MAX];
    size_t count;
    size_t claimed;
    int64_t next_due_us;
    struct set_aside aside;
};

static const struct op_kind *kind_of(const struct engine *engine, const char *name)
{
    for (const struct op_kind *const *kind = engine->options.kinds; *kind != NULL; kind++) {
        if (text_equal((*kind)->name, name)) {
            return *kind;
        }
    }
    return NULL;
}

static void claim_clear(struct claim *claim)
{
    for (size_t i = 0; i < claim->count; i++) {
        op_free(claim->ops[i]);
    }
    claim->count = 0;
    claim->claimed = 0;
    claim->background = 0;
    claim->aside = (struct set_aside){0};
    arena_release(&claim->arena);
}

static enum errc put_off(struct tx *tx, struct operation *row, int64_t wait_us, struct err *err)
{
    row->next_attempt_us = tx->now_us + wait_us;
    row->node_id = (struct uuid){0};
    return operation_update(tx->db, row, err);
}

// Plans one claimed row. What cannot be planned is set aside.
static enum errc plan_row(struct claim *claim, struct tx *tx, struct operation *row, struct err *err)
{
    struct op *op = NULL;
    bool already_done = false;
    struct err why = {0};
    struct limiter_slot slot;
    int64_t wait_us = 0;
    const struct op_kind *kind = kind_of(claim->engine, row->kind);
    if (row->damaged || kind == NULL) {
        const char *damage = row->damaged ? "its row is damaged" : "its kind is unknown";
        return op_set_aside(&claim->aside, tx, row, tx->now_us, damage, err);
    }
    if (kind->background && claim->background++ >= claim->background_max) {
        return put_off(tx, row, BACKGROUND_AGAIN_US, err);
    }
    if (!limiter_take(claim->engine->limiter, &row->merchant_id, row->livemode, CALL_FROM_RECOVERY, &slot,
                      &wait_us)) {
        return put_off(tx, row, wait_us, err);
    }
    row->unresolved = row->unresolved || row->attempts > 0; // a lost attempt may have been carried out
    row->attempts++;
    enum errc rc = op_plan(claim->engine, kind, row, &slot, tx, &op, &already_done, &why);
    if (db_take_damage(tx->db)) {
        op_free(op); // planned from damaged rows
        return op_set_aside(&claim->aside, tx, row, tx->now_us, "a row that it needs is damaged", err);
    }
    if (already_done) {
        return operation_delete(tx->db, &row->subject_id, row->kind, err);
    }
    if (errc_is_store(rc)) {
        *err = why;
        return rc;
    }
    if (rc != OK) {
        return op_set_aside(&claim->aside, tx, row, tx->now_us, why.message, err);
    }
    claim->ops[claim->count++] = op;
    return operation_update(tx->db, &op->row, err);
}

static enum errc start_kinds(const struct engine *engine, struct tx *tx, enum engine_start start,
                             int64_t alive_us, bool beside_others, struct err *err)
{
    enum errc rc = OK;
    for (const struct op_kind *const *at = engine->options.kinds; rc == OK && *at != NULL; at++) {
        const struct op_kind *kind = *at;
        rc = kind->sent_anew_when_old && !beside_others
                 ? operations_distrust_future(tx->db, kind->name, tx->now_us, err)
                 : OK;
        if (rc == OK && kind->start != NULL && (!beside_others || kind->starts_beside_others)) {
            rc = kind->start(engine, tx, start, alive_us, err);
        }
    }
    return rc;
}

// Takes up what the last process left. Where the clock was set back since it last ran, what it put off may be
// due at the wrong time.
static enum errc take_up(const struct engine *engine, struct tx *tx, enum engine_start start, int64_t now_us,
                         struct err *err)
{
    int64_t alive_us = 0;
    int64_t released = 0;
    enum errc rc = meta_alive_get(tx->db, &alive_us, err);
    if (rc == OK && !store_is_shared(engine->options.store)) {
        int64_t held_us = alive_us > now_us ? INT64_MAX - now_us : op_lease_us(engine);
        rc = operations_release_leases(tx->db, now_us, held_us, &released, err);
    }
    if (rc == OK) {
        rc = start_kinds(engine, tx, start, alive_us, false, err);
    }
    // Times that this process writes may be ahead, if its clock is. The next process must know, even if this
    // one ends before the janitor records that it is alive.
    return rc == OK && alive_us < now_us ? meta_alive_put(tx->db, now_us, err) : rc;
}

// A node that joins others takes nothing up: they never stopped, and they trust the database. Who finds none
// asks the provider for what it may lack, unless it knows this database for the one that the last node
// stopped with.
static enum errc join(const struct claim *claim, struct tx *tx, int64_t now_us, struct err *err)
{
    const struct engine *engine = claim->engine;
    const enum engine_start start = claim->trials == 0 ? engine->options.start : START_UNSURE;
    bool has_witness = false;
    int64_t alive_us = 0;
    enum errc rc = node_has_witness(tx->db, &tx->node_id, &has_witness, err);
    if (rc == OK && (!has_witness || start == START_ACCEPTED)) {
        rc = take_up(engine, tx, start, now_us, err);
    } else if (rc == OK) {
        rc = meta_alive_get(tx->db, &alive_us, err);
        rc = rc == OK ? start_kinds(engine, tx, start, alive_us, true, err) : rc;
    }
    return rc == OK ? node_trust(tx->db, &tx->node_id, err) : rc;
}

static enum errc begin_anew(const struct claim *claim, struct tx *tx, struct err *err)
{
    const struct engine *engine = claim->engine;
    return store_is_shared(engine->options.store)
               ? join(claim, tx, tx->now_us, err)
               : take_up(engine, tx, engine->options.start, tx->now_us, err);
}

// The wall clock was set. What is sent under a key that does not depend on a time, or does no harm twice,
// goes on being sent.
static enum errc follow_clock(const struct claim *claim, struct tx *tx, struct err *err)
{
    const char *sent_again[2] = {0};
    size_t count = 0;
    for (const struct op_kind *const *kind = claim->engine->options.kinds; *kind != NULL; kind++) {
        if ((*kind)->sent_again) {
            REQUIRE(count < COUNT_OF(sent_again));
            sent_again[count++] = (*kind)->name;
        }
    }
    return operations_distrust_clock(tx->db, sent_again, claim->now_us, claim->step_us, err);
}

static enum errc run_claim(struct store_job *job, struct tx *tx, struct err *err)
{
    struct claim *claim = CONTAINER_OF(job, struct claim, job);
    struct engine *engine = claim->engine;
    claim_clear(claim);
    enum errc rc = claim->trials != claim->trials_now ? begin_anew(claim, tx, err) : OK;
    if (rc == OK && claim->step_us != 0) {
        rc = follow_clock(claim, tx, err);
    }
    struct operation *rows = arena_alloc(&claim->arena, CLAIM_MAX * sizeof(*rows));
    if (rc == OK) {
        rc = operations_claim(tx->db, &tx->node_id, tx->now_us, op_lease_us(engine), &claim->arena, rows,
                              claim->max, &claim->claimed, err);
    }
    for (size_t i = 0; rc == OK && i < claim->claimed; i++) {
        rc = plan_row(claim, tx, &rows[i], err);
    }
    if (rc == OK) {
        rc = operations_next_due(tx->db, &tx->node_id, &claim->next_due_us, err);
    }
    return rc;
}

static void sweep_at(struct engine *engine, int64_t at_us)
{
    int64_t now_us = loop_wall_us(engine->options.loop);
    if (at_us < engine->sweep_due_us) {
        engine->sweep_due_us = at_us;
        timer_start(engine->options.loop, &engine->sweep_timer, at_us > now_us ? at_us - now_us : 0);
    }
}

static void claimed(struct store_job *job)
{
    struct claim *claim = CONTAINER_OF(job, struct claim, job);
    struct engine *engine = claim->engine;
    engine->sweeping = false;
    if (job->result != OK) {
        LOG(LOG_ERROR, "open operations could not be read", LOG_STR("error", job->err.message));
        claim_clear(claim);
        sweep_at(engine, loop_wall_us(engine->options.loop) + US_PER_S);
        return;
    }
    claim->trials = claim->trials_now;
    claim->step_us = 0;
    for (size_t i = 0; i < claim->count; i++) {
        if (op_is_under_way(engine, &claim->ops[i]->key)) {
            op_free(claim->ops[i]); // a call that takes longer than its lease
        } else {
            op_run(claim->ops[i]);
        }
    }
    engine_log_set_aside(engine, &claim->aside);
    bool more = claim->claimed == claim->max || engine->sweep_again;
    claim->count = 0;
    arena_release(&claim->arena);
    if (!engine->ready) {
        REQUIRE(engine->on_ready != NULL);
        engine->ready = true;
        engine->on_ready(engine->ready_context);
    }
    engine->sweep_again = false;
    engine_due(engine, more ? 0 : claim->next_due_us);
}

// Takes the time that the claim is made at, and whether the wall clock was set since the last one.
static void look_at_clocks(struct engine *engine, struct claim *claim)
{
    claim->now_us = loop_wall_us(engine->options.loop);
    int64_t clock_us = claim->now_us - loop_mono_us(engine->options.loop);
    int64_t step_us = clock_us - engine->clock_us;
    if (step_us > CLOCK_STEP_US || step_us < -CLOCK_STEP_US) {
        LOG(LOG_WARN, "the clock was changed; unfinished charges are looked up and not sent again",
            LOG_INT("step_ms", step_us / 1000));
        claim->step_us += step_us;
    }
    engine->clock_us = clock_us;
}

// How many operations may be claimed; where none, *wait_us is when to look again.
static int64_t sweep_room(struct engine *engine, int64_t *wait_us)
{
    const struct config *config = engine->options.config;
    int64_t claims_max = limiter_claims_max(engine->limiter, wait_us);
    int64_t free = config->operations_max - engine->stats.in_flight;
    int64_t share = limiter_recovery_max(engine->limiter) - engine->recovering;
    int64_t room = free < share ? free : share;
    engine->wants_room = claims_max > 0 && room <= 0;
    if (claims_max > 0) {
        *wait_us = config->reconcile_interval_ms * US_PER_MS;
    }
    return room < claims_max ? room : claims_max;
}

void engine_freed(struct engine *engine)
{
    if (engine->wants_room) {
        engine_due(engine, 0);
    }
}

void engine_sweep(struct timer *timer)
{
    struct engine *engine = CONTAINER_OF(timer, struct engine, sweep_timer);
    const struct config *config = engine->options.config;
    engine->sweep_due_us = INT64_MAX;
    if (engine->draining) {
        return;
    }
    if (engine->sweeping) {
        engine->sweep_again = true;
        return;
    }
    limiter_set_nodes(engine->limiter, store_nodes(engine->options.store));
    int64_t wait_us = US_PER_S;
    int64_t room = store_clock_is_wrong(engine->options.store) ? 0 : sweep_room(engine, &wait_us);
    if (room <= 0) {
        engine_due(engine, loop_wall_us(engine->options.loop) + wait_us);
        return;
    }
    engine->sweeping = true;
    engine->claim->trials_now = store_trials(engine->options.store);
    look_at_clocks(engine, engine->claim);
    engine->claim->background_max =
        (config->operations_max + BACKGROUND_PART - 1) / BACKGROUND_PART - engine->background;
    engine->claim->max = room < CLAIM_MAX ? (size_t)room : CLAIM_MAX;
    engine->claim->job = (struct store_job){.queue = STORE_WRITE,
                                            .run = run_claim,
                                            .done = claimed,
                                            .arena = &engine->claim->arena,
                                            .cause = "recovery",
                                            .now_us = engine->claim->now_us};
    store_submit_always(engine->options.store, &engine->claim->job);
}

void engine_due(struct engine *engine, int64_t due_us)
{
    int64_t now_us = loop_wall_us(engine->options.loop);
    // The clock may jump, and other processes write too: look at least this often.
    int64_t latest_us = now_us + store_poll_us(engine->options.store,
                                               engine->options.config->reconcile_interval_ms * US_PER_MS);
    sweep_at(engine, due_us < latest_us ? due_us : latest_us);
}

struct claim *claim_open(struct engine *engine)
{
    struct claim *claim = calloc(1, sizeof(*claim));
    REQUIRE(claim != NULL);
    claim->engine = engine;
    return claim;
}

void claim_free(struct claim *claim)
{
    claim_clear(claim);
    free(claim);
}
