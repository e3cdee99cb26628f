// The engine as a whole: its parts, from when it opens until it has drained. Loop thread.
#include <stdlib.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"

static void resumed(void *context)
{
    engine_due(context, 0);
}

// The notice of a circuit is about one merchant, or about all: nil.
#define CIRCUIT "circuit"
static const struct uuid all_merchants;

static void tell_circuit(void *context, const struct uuid *merchant, bool open)
{
    const struct engine *engine = context;
    notices_tell(engine->notices, CIRCUIT, merchant != NULL ? merchant : &all_merchants, open);
}

static void hear_circuit(void *context, const struct uuid *about, int64_t value)
{
    const struct engine *engine = context;
    limiter_follow_circuit(engine->limiter, uuid_is_nil(about) ? NULL : about, value != 0);
}

struct notices *engine_notices(const struct engine *engine)
{
    return engine->notices;
}

struct engine *engine_open(const struct engine_options *options)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    REQUIRE(engine != NULL);
    engine->options = *options;
    engine->sweep_due_us = INT64_MAX;
    engine->settle_due_us = INT64_MAX;
    engine->clock_us = loop_wall_us(options->loop) - loop_mono_us(options->loop);
    list_init(&engine->unsettled);
    list_init(&engine->waiting);
    timer_init(&engine->settle_timer, op_settle_again);
    timer_init(&engine->patience_timer, op_patience_over);
    timer_init(&engine->sweep_timer, engine_sweep);
    engine->limiter = limiter_open(&(struct limiter_options){
        .loop = options->loop,
        .random = options->random,
        .rates = options->rates,
        .operations_max = &options->config->operations_max,
        .reconcile_interval_ms = &options->config->reconcile_interval_ms,
        .call = op_call,
        .abandon_call = op_abandon_call,
        .requeue = op_requeue,
        .resumed = resumed,
        .circuit_changed = tell_circuit,
        .context = engine,
    });
    engine->notices = notices_open(options->loop, options->store);
    notices_listen(engine->notices, CIRCUIT, hear_circuit, engine);
    engine->claim = claim_open(engine);
    engine->elsewhere = elsewhere_open(engine);
    engine->janitor = janitor_open(engine);
    engine->retention = retention_open(engine);
    return engine;
}

void engine_free(struct engine *engine)
{
    for (struct list *node = list_take_first(&engine->unsettled); node != NULL;
         node = list_take_first(&engine->unsettled)) {
        op_free(CONTAINER_OF(node, struct op, link)); // its row is still there: the next start asks again
    }
    timer_stop(engine->options.loop, &engine->settle_timer);
    timer_stop(engine->options.loop, &engine->patience_timer);
    timer_stop(engine->options.loop, &engine->sweep_timer);
    notices_free(engine->notices);
    claim_free(engine->claim);
    elsewhere_free(engine->elsewhere);
    janitor_free(engine->janitor);
    retention_free(engine->retention);
    op_remove_waiters(engine);
    limiter_close(engine->limiter, op_drop);
    table_release(&engine->active);
    free(engine);
}

const struct engine_options *engine_options(const struct engine *engine)
{
    return &engine->options;
}

void engine_start(struct engine *engine, void (*on_ready)(void *context), void *context)
{
    engine->on_ready = on_ready;
    engine->ready_context = context;
    engine_due(engine, 0);
    janitor_start(engine->janitor);
    retention_start(engine->retention);
}

bool engine_drain(struct engine *engine, bool hurry)
{
    if (!engine->draining) {
        engine->draining = true;
        op_settle_all(engine);
    }
    if (hurry) {
        limiter_requeue_all(engine->limiter);
    }
    if (engine->stats.in_flight == 0 || hurry) {
        op_time_out_all(engine); // whatever they wait for goes on after the next start
    }
    return engine->stats.in_flight == 0 && engine->stats.waiting == 0 && !engine->sweeping;
}

const char *engine_unready(const struct engine *engine)
{
    if (engine->draining) {
        return "the service is stopping";
    }
    if (store_clock_is_wrong(engine->options.store)) {
        return "this machine's clock is more than 10 s from the database's";
    }
    if (!engine->ready) {
        return "the service is starting";
    }
    return engine->unwritable ? "the database cannot be written" : NULL;
}

bool engine_ready(const struct engine *engine)
{
    return engine_unready(engine) == NULL;
}

bool engine_has_room(const struct engine *engine)
{
    int64_t max = engine->options.config->operations_max;
    bool yields = engine->wants_room && engine->recovering < limiter_recovery_max(engine->limiter);
    return engine->ready && !engine->draining && !store_clock_is_wrong(engine->options.store) && !yields &&
           engine->stats.in_flight < max && engine->stats.waiting < max;
}

void engine_stats(const struct engine *engine, struct engine_stats *stats)
{
    *stats = engine->stats;
    limiter_stats(engine->limiter, &stats->limiter);
}
