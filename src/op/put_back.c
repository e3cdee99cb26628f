// Attempts that were planned and are not made: the provider is away, it is not their turn for long, or the
// process ends. Where nothing was sent the row is as untried as it was before, and the next attempt is what
// this one would have been; what the plan learned by the clock (that a charge is only looked for now) stays.
// Loop thread, but for run_put_back.
#include "base/log.h"
#include "base/timefmt.h"
#include "op/engine.h"

static enum errc run_put_back(struct store_job *job, struct tx *tx, struct err *err)
{
    struct op *op = CONTAINER_OF(job, struct op, job);
    struct operation row = {0};
    arena_release(&op->settle_arena);
    enum errc rc = operation_get(tx->db, &op->row.subject_id, op->kind->name, &op->settle_arena, &row, err);
    if (rc == ERR_NOT_FOUND) {
        return OK; // closed by another way
    }
    row.attempts = op->row.attempts - !op->place.called;
    row.unresolved = op->row.unresolved || op->place.called;
    row.next_attempt_us = op->put_back_until_us;
    return rc == OK ? operation_update(tx->db, &row, err) : rc;
}

static void was_put_back(struct store_job *job)
{
    struct op *op = CONTAINER_OF(job, struct op, job);
    if (job->result != OK) { // its lease brings it back, as an attempt that was lost
        LOG(LOG_ERROR, "an operation could not be put back", LOG_STR("operation", op->kind->name),
            LOG_STR("error", job->err.message));
    }
    op_ended(op);
    engine_due(op->engine, op->put_back_until_us);
    op_free(op);
}

void op_put_back(struct place *place, int64_t wait_us)
{
    struct op *op = CONTAINER_OF(place, struct op, place);
    struct engine *engine = op->engine;
    engine->stats.put_back_total++;
    op->put_back_until_us = loop_wall_us(engine->options.loop) + wait_us;
    op->job = (struct store_job){.lane = STORE_WRITE, .run = run_put_back, .done = was_put_back};
    store_submit_always(engine->options.store, &op->job);
}

void op_drop(struct place *place)
{
    op_free(CONTAINER_OF(place, struct op, place));
}
