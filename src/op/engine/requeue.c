// Requeues attempts that were planned but cannot call soon: the provider is unreachable, the account's pace
// makes them wait too long, or the process stops. If nothing was sent, the row is as untried as before, and
// the next attempt is what this one would have been. What the plan decided by the clock (a charge is now only
// looked up) stays. Loop thread, except for run_requeue.
#include "base/log.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"

static enum errc run_requeue(struct store_job *job, struct tx *tx, struct err *err)
{
    struct op *op = op_of(job);
    struct operation row = {0};
    bool held = false;
    arena_release(&op->settle_arena);
    enum errc rc = op_get_held(op, tx, &row, &held, err);
    if (rc != OK || !held) {
        return rc;
    }
    row.attempts = op->row.attempts - !limiter_slot_has_called(&op->slot);
    row.unresolved = op->row.unresolved || limiter_slot_has_called(&op->slot);
    row.next_attempt_us = op->requeue_until_us;
    row.node_id = (struct uuid){0};
    return operation_update(tx->db, &row, err);
}

static void requeued(struct store_job *job)
{
    struct op *op = op_of(job);
    if (job->result != OK) { // its lease brings it back, as an attempt that was lost
        LOG(LOG_ERROR, "an operation could not be requeued", LOG_STR("operation", op->kind->name),
            LOG_STR("error", job->err.message));
    }
    op_ended(op);
    engine_due(op->engine, op->requeue_until_us);
    op_free(op);
}

void op_requeue(struct limiter_slot *slot, int64_t wait_us)
{
    struct op *op = CONTAINER_OF(slot, struct op, slot);
    struct engine *engine = op->engine;
    op_move(op, OP_REQUEUING);
    engine->stats.requeued_total++;
    op->requeue_until_us = loop_wall_us(engine->options.loop) + wait_us;
    op_record(op, run_requeue, requeued, NULL);
}

void op_drop(struct limiter_slot *slot)
{
    op_free(CONTAINER_OF(slot, struct op, slot));
}
