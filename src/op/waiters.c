// Callers who wait for an operation's first answer. Whoever's patience ends first gets the payment as it is
// then, `pending`, and that is the stored answer from then on; the operation goes on by itself. Loop thread,
// but for run_give_up.
#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine.h"
#include "op/reply.h"
#include "store/payments.h"

static void forget(struct op_waiter *waiter)
{
    table_remove(&waiter->engine->waiters, &waiter->node);
    list_remove(&waiter->link);
    waiter->engine->stats.waiting--;
}

void op_wait(struct engine *engine, struct op_waiter *waiter, const struct uuid *subject_id)
{
    waiter->engine = engine;
    waiter->subject_id = *subject_id;
    waiter->deadline_us =
        loop_mono_us(engine->options.loop) + engine->options.config->patience_ms * US_PER_MS;
    if (list_empty(&engine->waiting)) {
        timer_start(engine->options.loop, &engine->patience_timer,
                    engine->options.config->patience_ms * US_PER_MS);
    }
    table_insert(&engine->waiters, &waiter->node, &waiter->subject_id, sizeof(waiter->subject_id));
    list_append(&engine->waiting, &waiter->link);
    engine->stats.waiting++;
}

void op_answer_waiter(struct engine *engine, const struct uuid *subject_id, int status, const char *body)
{
    struct table_node *node = table_find(&engine->waiters, subject_id, sizeof(*subject_id));
    if (node == NULL) {
        return; // it hung up, or its patience was over
    }
    struct op_waiter *waiter = CONTAINER_OF(node, struct op_waiter, node);
    forget(waiter);
    waiter->answered(waiter, OK, status, body);
}

// Stores the present state as the answer, unless a settle was quicker; either way the stored one is given.
static enum errc run_give_up(struct store_job *job, struct db *db, struct err *err)
{
    struct op_waiter *waiter = CONTAINER_OF(job, struct op_waiter, job);
    const struct engine_options *options = &waiter->engine->options;
    arena_release(&waiter->arena);
    struct change change = {
        .keyring = options->keyring,
        .random = options->random,
        .arena = &waiter->arena,
        .now_us = loop_wall_us(options->loop),
        .cause = "api",
    };
    struct payment payment = {0};
    enum errc rc = payment_get(db, &waiter->subject_id, NULL, &waiter->arena, &payment, err);
    waiter->status = 201;
    if (rc == OK) {
        rc = reply_keep(db, &change, &payment, &waiter->body, err);
    }
    if (rc == OK && waiter->body == NULL) {
        rc = reply_stored(db, options->keyring, &waiter->subject_id, &waiter->arena, &waiter->status,
                          &waiter->body, err);
    }
    return rc;
}

static void gave_up(struct store_job *job)
{
    struct op_waiter *waiter = CONTAINER_OF(job, struct op_waiter, job);
    waiter->engine->stats.waiting--;
    waiter->answered(waiter, job->result, waiter->status, waiter->body);
}

static void give_up(struct op_waiter *waiter)
{
    forget(waiter);
    waiter->engine->stats.waiting++; // until the answer is stored
    waiter->job = (struct store_job){.lane = STORE_WRITE, .run = run_give_up, .done = gave_up};
    store_submit_always(waiter->engine->options.store, &waiter->job);
}

void op_patience_over(struct timer *timer)
{
    struct engine *engine = CONTAINER_OF(timer, struct engine, patience_timer);
    int64_t now_us = loop_mono_us(engine->options.loop);
    while (!list_empty(&engine->waiting)) {
        struct op_waiter *waiter = CONTAINER_OF(engine->waiting.next, struct op_waiter, link);
        if (waiter->deadline_us > now_us) {
            timer_start(engine->options.loop, &engine->patience_timer, waiter->deadline_us - now_us);
            return;
        }
        give_up(waiter);
    }
}

void op_give_up_all(struct engine *engine)
{
    while (!list_empty(&engine->waiting)) {
        give_up(CONTAINER_OF(engine->waiting.next, struct op_waiter, link));
    }
}
