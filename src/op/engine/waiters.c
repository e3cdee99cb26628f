// Callers who wait for an operation's first answer. If a caller's patience ends first, the operation's kind
// answers from the database, and the operation goes on. Every waiter is answered exactly once. Loop thread,
// except run_timeout_answer.
#include <stdlib.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"

// All who wait for one operation.
struct waiter_list {
    struct table_node node;
    struct op_key key;
    struct list waiters;
};

// The answer for a caller whose patience is over.
struct timeout {
    struct op_waiter *waiter;
    struct store_job job;
    struct arena arena;
    struct op_answer answer;
};

static struct waiter_list *find_list(struct engine *engine, const struct op_key *key)
{
    struct table_node *node = table_find(&engine->waiters_by_op, key, sizeof(*key));
    return node != NULL ? CONTAINER_OF(node, struct waiter_list, node) : NULL;
}

static void remove_waiter(struct op_waiter *waiter)
{
    struct engine *engine = waiter->engine;
    struct op_key key = op_key(waiter->kind, &waiter->subject_id);
    struct waiter_list *list = find_list(engine, &key);
    list_remove(&waiter->in_list);
    list_remove(&waiter->link);
    engine->stats.waiting--;
    if (list_empty(&list->waiters)) {
        table_remove(&engine->waiters_by_op, &list->node);
        free(list);
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
    struct waiter_list *list = find_list(engine, &key);
    if (list == NULL) {
        list = malloc(sizeof(*list));
        REQUIRE(list != NULL);
        list->key = key;
        list_init(&list->waiters);
        table_insert(&engine->waiters_by_op, &list->node, &list->key, sizeof(list->key));
    }
    list_append(&list->waiters, &waiter->in_list);
    list_append(&engine->waiting, &waiter->link);
    engine->stats.waiting++;
}

void op_answer_waiters(struct engine *engine, const struct op_kind *kind, const struct uuid *subject_id,
                       const struct op_answer *answer)
{
    struct op_key key = op_key(kind, subject_id);
    struct waiter_list *list = find_list(engine, &key);
    while (list != NULL) { // NULL: nobody waits any more
        struct op_waiter *waiter = CONTAINER_OF(list->waiters.next, struct op_waiter, in_list);
        remove_waiter(waiter);
        waiter->answered(waiter, answer);
        list = find_list(engine, &key);
    }
}

static enum errc run_timeout_answer(struct store_job *job, struct tx *tx, struct err *err)
{
    struct timeout *timeout = CONTAINER_OF(job, struct timeout, job);
    const struct op_waiter *waiter = timeout->waiter;
    arena_release(&timeout->arena);
    timeout->answer = (struct op_answer){0};
    return waiter->kind->timeout_answer(&waiter->subject_id, tx, &timeout->answer, err);
}

static void timeout_answered(struct store_job *job)
{
    struct timeout *timeout = CONTAINER_OF(job, struct timeout, job);
    struct op_waiter *waiter = timeout->waiter;
    waiter->engine->stats.waiting--;
    if (job->result != OK) {
        timeout->answer = (struct op_answer){.refusal = job->err};
        timeout->answer.refusal.code = job->result;
    }
    waiter->answered(waiter, &timeout->answer);
    arena_release(&timeout->arena);
    free(timeout);
}

static void answer_timeout(struct op_waiter *waiter)
{
    remove_waiter(waiter);
    waiter->engine->stats.waiting++; // until the answer is stored
    struct timeout *timeout = calloc(1, sizeof(*timeout));
    REQUIRE(timeout != NULL);
    timeout->waiter = waiter;
    timeout->job = (struct store_job){.queue = STORE_WRITE,
                                      .run = run_timeout_answer,
                                      .done = timeout_answered,
                                      .arena = &timeout->arena,
                                      .cause = "api"};
    store_submit_always(waiter->engine->options.store, &timeout->job);
}

void op_time_out(struct engine *engine, const struct op_key *key)
{
    for (struct waiter_list *list = find_list(engine, key); list != NULL; list = find_list(engine, key)) {
        answer_timeout(CONTAINER_OF(list->waiters.next, struct op_waiter, in_list));
    }
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
        answer_timeout(waiter);
    }
}

void op_time_out_all(struct engine *engine)
{
    while (!list_empty(&engine->waiting)) {
        answer_timeout(CONTAINER_OF(engine->waiting.next, struct op_waiter, link));
    }
}

static void free_list(struct table_node *node, void *context)
{
    struct engine *engine = context;
    table_remove(&engine->waiters_by_op, node);
    free(CONTAINER_OF(node, struct waiter_list, node));
}

void op_remove_waiters(struct engine *engine)
{
    table_each(&engine->waiters_by_op, free_list, engine);
    table_release(&engine->waiters_by_op);
}
