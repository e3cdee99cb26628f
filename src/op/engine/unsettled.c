// Attempts whose outcome could not be recorded. The outcome stays in memory, and recording it is tried again
// after growing delays. If the database accepts other writes, the fault is in this outcome: the attempt is
// abandoned as if the process had died then, its operation is retried, and the log, the metrics and the
// payment's history say so. Loop thread, except run_abandon.
#include "base/log.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"
#include "store/payments.h"

// How often recording an outcome is tried. The store may recover at any time; any other error will hardly
// change.
#define TRIES_MAX 3
#define STORE_TRIES_MAX 100
// While the service stops, a second apart: its row is there at the next start.
#define DRAIN_TRIES_MAX 1
#define DRAIN_STORE_TRIES_MAX 5
// The wait grows by a second with every ten tries.
#define TRIES_PER_S 10
#define WAIT_MAX_S 30

static void start_timer(struct engine *engine, int64_t at_us)
{
    if (at_us < engine->settle_due_us) {
        int64_t now_us = loop_mono_us(engine->options.loop);
        engine->settle_due_us = at_us;
        timer_start(engine->options.loop, &engine->settle_timer, at_us > now_us ? at_us - now_us : 0);
    }
}

static void settle_later(struct op *op)
{
    struct engine *engine = op->engine;
    op_move(op, OP_UNSETTLED);
    int64_t wait_s = engine->draining ? 1 : 1 + op->settle_tries / TRIES_PER_S;
    op->settle_at_us =
        loop_mono_us(engine->options.loop) + (wait_s < WAIT_MAX_S ? wait_s : WAIT_MAX_S) * US_PER_S;
    list_append(&engine->unsettled, &op->link);
    start_timer(engine, op->settle_at_us);
}

// Its lease ends, as after a crash: the next process asks for the outcome.
static void leave_to_lease(struct op *op)
{
    op_ended(op);
    op_free(op);
}

static enum errc run_abandon(struct store_job *job, struct tx *tx, struct err *err)
{
    struct op *op = op_of(job);
    arena_release(&op->settle_arena);
    struct operation row = {0};
    bool held = false;
    enum errc rc = op_get_held(op, tx, &row, &held, err);
    if (rc != OK || !held) {
        return rc;
    }
    op->row = row;
    op_retry(op); // like an attempt that a crash lost
    op_apply_verdict(op, tx);
    rc = operation_update(tx->db, &op->row, err);
    if (rc != OK) {
        return rc;
    }
    struct payment payment = {0};
    rc = payment_get(tx->db, &op->row.subject_id, NULL, tx->arena, &payment, err);
    if (rc == ERR_NOT_FOUND) {
        return OK; // a refund or a card has no history: the log must do
    }
    return rc == OK ? append_history(tx, &payment, "an outcome could not be recorded", err) : rc;
}

static void abandoned(struct store_job *job)
{
    struct op *op = op_of(job);
    struct engine *engine = op->engine;
    if (job->result != OK && engine->draining) {
        leave_to_lease(op);
        return;
    }
    if (job->result != OK) {
        settle_later(op);
        return;
    }
    char id[UUID_TEXT_BYTES];
    uuid_format(&op->row.subject_id, id);
    LOG(LOG_ERROR, "an outcome cannot be recorded; the provider is asked again later",
        LOG_STR("subject_id", id), LOG_STR("operation", op->kind->name));
    engine->stats.settle_abandoned_total++;
    op_ended(op);
    engine_due(engine, op->row.next_attempt_us);
    op_free(op);
}

void op_unsettled(struct op *op)
{
    struct engine *engine = op->engine;
    bool store_failed = errc_is_store(op->record->job.result);
    int tries_max = store_failed ? STORE_TRIES_MAX : TRIES_MAX;
    if (engine->draining) {
        tries_max = store_failed ? DRAIN_STORE_TRIES_MAX : DRAIN_TRIES_MAX;
    }
    op->settle_tries++;
    engine->stats.settle_retries_total++;
    if (op->settle_tries < tries_max) {
        settle_later(op);
        return;
    }
    if (engine->draining && store_failed) {
        leave_to_lease(op);
        return;
    }
    op_move(op, OP_REQUEUING);
    op_record(op, run_abandon, abandoned, NULL);
}

static void settle_until(struct engine *engine, int64_t until_us)
{
    struct list waiting;
    list_init(&waiting);
    list_splice(&waiting, &engine->unsettled);
    engine->settle_due_us = INT64_MAX;
    for (struct list *node = list_take_first(&waiting); node != NULL; node = list_take_first(&waiting)) {
        struct op *op = CONTAINER_OF(node, struct op, link);
        if (op->settle_at_us <= until_us) {
            op_settle(op);
        } else {
            list_append(&engine->unsettled, &op->link);
            start_timer(engine, op->settle_at_us);
        }
    }
}

void op_settle_again(struct timer *timer)
{
    struct engine *engine = CONTAINER_OF(timer, struct engine, settle_timer);
    settle_until(engine, loop_mono_us(engine->options.loop));
}

void op_settle_all(struct engine *engine)
{
    LIST_EACH_SAFE(&engine->unsettled, node, after)
    {
        CONTAINER_OF(node, struct op, link)->settle_tries = 0;
    }
    settle_until(engine, INT64_MAX);
}
