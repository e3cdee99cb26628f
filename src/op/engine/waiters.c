// Callers who wait for an operation's first answer. Whoever's patience ends first is answered by the
// operation's kind from what the database holds then; the operation goes on by itself. Loop thread, but for
// run_timeout_answer.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"

// Everybody who waits for one operation.
struct waiting_room {
    struct table_node node;
    struct op_key key;
    struct list waiters;
};

static struct waiting_room *find_room(struct engine *engine, const struct op_key *key)
{
    struct table_node *node = table_find(&engine->waiting_rooms, key, sizeof(*key));
    return node != NULL ? CONTAINER_OF(node, struct waiting_room, node) : NULL;
}

static void forget(struct op_waiter *waiter)
{
    struct engine *engine = waiter->engine;
    struct op_key key = op_key(waiter->kind, &waiter->subject_id);
    struct waiting_room *room = find_room(engine, &key);
    list_remove(&waiter->in_room);
    list_remove(&waiter->link);
    engine->stats.waiting--;
    if (list_empty(&room->waiters)) {
        table_remove(&engine->waiting_rooms, &room->node);
        free(room);
    }
}

void op_wait(struct engine *engine, struct op_waiter *waiter, const struct op_kind *kind,
             const struct uuid *subject_id)
{
    int64_t patience_us = engine->options.config->patience_ms * US_PER_MS;
    waiter->engine = engine;
    waiter->kind = kind;
    waiter->subject_id = *subject_id;
    waiter->deadline_us = loop_mono_us(engine->options.loop) + patience_us;
    if (list_empty(&engine->waiting)) {
        timer_start(engine->options.loop, &engine->patience_timer, patience_us);
    }
    struct op_key key = op_key(kind, subject_id);
    struct waiting_room *room = find_room(engine, &key);
    if (room == NULL) {
        room = malloc(sizeof(*room));
        REQUIRE(room != NULL);
        room->key = key;
        list_init(&room->waiters);
        table_insert(&engine->waiting_rooms, &room->node, &room->key, sizeof(room->key));
    }
    list_append(&room->waiters, &waiter->in_room);
    list_append(&engine->waiting, &waiter->link);
    engine->stats.waiting++;
}

void op_answer_waiters(struct engine *engine, const struct op_kind *kind, const struct uuid *subject_id,
                       const struct op_answer *answer)
{
    struct op_key key = op_key(kind, subject_id);
    struct waiting_room *room = find_room(engine, &key);
    while (room != NULL) { // NULL: they hung up, or their patience was over
        struct op_waiter *waiter = CONTAINER_OF(room->waiters.next, struct op_waiter, in_room);
        forget(waiter);
        waiter->answered(waiter, answer);
        room = find_room(engine, &key);
    }
}

static enum errc run_timeout_answer(struct store_job *job, struct tx *tx, struct err *err)
{
    struct op_waiter *waiter = CONTAINER_OF(job, struct op_waiter, job);
    arena_release(&waiter->arena);
    waiter->answer = (struct op_answer){0};
    return waiter->kind->timeout_answer(&waiter->subject_id, tx, &waiter->answer, err);
}

static void timed_out(struct store_job *job)
{
    struct op_waiter *waiter = CONTAINER_OF(job, struct op_waiter, job);
    waiter->engine->stats.waiting--;
    if (job->result != OK) {
        waiter->answer = (struct op_answer){.refusal = job->err};
        waiter->answer.refusal.code = job->result;
    }
    waiter->answered(waiter, &waiter->answer);
}

static void timeout_answer(struct op_waiter *waiter)
{
    forget(waiter);
    waiter->engine->stats.waiting++; // until the answer is stored
    waiter->job = (struct store_job){.queue = STORE_WRITE,
                                     .run = run_timeout_answer,
                                     .done = timed_out,
                                     .arena = &waiter->arena,
                                     .cause = "api"};
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
        timeout_answer(waiter);
    }
}

void op_time_out_all(struct engine *engine)
{
    while (!list_empty(&engine->waiting)) {
        timeout_answer(CONTAINER_OF(engine->waiting.next, struct op_waiter, link));
    }
}

static void free_room(struct table_node *node, void *context)
{
    struct engine *engine = context;
    table_remove(&engine->waiting_rooms, node);
    free(CONTAINER_OF(node, struct waiting_room, node));
}

void op_forget_all(struct engine *engine)
{
    table_each(&engine->waiting_rooms, free_room, engine);
    table_release(&engine->waiting_rooms);
}
