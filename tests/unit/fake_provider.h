// A provider without a network, for tests in one thread. It gives the answers that the test has queued, in
// the order of the calls, or keeps calls under way until the test answers; and it remembers every call.
// Fetches of events are separate: they find none unless the test provides them. Bodies are Stripe's real
// ones.
#pragma once

#include <stdlib.h>

#include "fake_loop.h"

#include "op/engine/op.h"
#include "provider/provider.h"

#define FAKE_CALLS_MAX 4096
#define FAKE_ANSWERS_MAX 64

struct fake_call {
    enum provider_verb verb;
    int64_t wall_us;
    int64_t mono_us;
    const char *idempotency_key;
    const char *body;
    const char *ref;
    const char *page;
    const char *secret_key;
    int64_t created_from_s;
};

struct fake_provider {
    struct provider base;
    struct provider_ops ops;
    struct fake_loop *loop;
    struct arena arena;
    struct fake_call calls[FAKE_CALLS_MAX];
    size_t call_count;
    struct provider_answer answers[FAKE_ANSWERS_MAX]; // the next ones
    size_t answer_count, answered;
    struct provider_answer otherwise; // when these are used up
    // Answers a fetch of events; NULL: there are none.
    struct provider_answer (*events)(struct fake_provider *fake, const struct provider_call *call);
    size_t events_asked;
    bool holds; // new calls are answered by fake_provider_answer only
    struct list held;
};

struct fake_exchange {
    struct list link;
    struct task task;
    struct provider_call *call;
    struct provider_answer answer;
};

static inline void fake_exchange_end(struct fake_exchange *exchange, struct provider_answer answer)
{
    struct provider_call *call = exchange->call;
    free(exchange);
    call->answer = arena_memdup(call->arena, &answer, sizeof(answer));
    call->done(call);
}

static inline void fake_provider_task(struct task *task)
{
    struct fake_exchange *exchange = CONTAINER_OF(task, struct fake_exchange, task);
    fake_exchange_end(exchange, exchange->answer);
}

static inline void fake_provider_note(struct fake_provider *fake, const struct provider_call *call)
{
    bool has_body = call->verb == PROVIDER_CHARGE || call->verb == PROVIDER_CAPTURE ||
                    call->verb == PROVIDER_REFUND || call->verb == PROVIDER_CUSTOMER ||
                    call->verb == PROVIDER_ATTACH || call->verb == PROVIDER_SETUP ||
                    call->verb == PROVIDER_CONFIRM;
    bool writes = has_body || call->verb == PROVIDER_CANCEL || call->verb == PROVIDER_DETACH ||
                  call->verb == PROVIDER_SETUP_CANCEL;
    REQUIRE(fake->call_count < FAKE_CALLS_MAX && call->secret_key.len > 0);
    REQUIRE(!writes || call->idempotency_key != NULL);
    REQUIRE(!writes || has_body == (call->body != NULL)); // what is read after a refusal sends none of it
    fake->calls[fake->call_count++] = (struct fake_call){
        .verb = call->verb,
        .wall_us = loop_wall_us(&fake->loop->base),
        .mono_us = loop_mono_us(&fake->loop->base),
        .idempotency_key = arena_strdup(&fake->arena, call->idempotency_key),
        .body = arena_strdup(&fake->arena, call->body),
        .ref = arena_strdup(&fake->arena, call->ref),
        .page = arena_strdup(&fake->arena, call->page),
        .secret_key = arena_strdup(&fake->arena, call->secret_key.data),
        .created_from_s = call->created_from_s,
    };
}

static inline void fake_provider_send(struct provider *provider, struct provider_call *call)
{
    struct fake_provider *fake = CONTAINER_OF(provider, struct fake_provider, base);
    struct fake_exchange *exchange = calloc(1, sizeof(*exchange));
    REQUIRE(exchange != NULL);
    exchange->call = call;
    exchange->task.run = fake_provider_task;
    if (call->verb == PROVIDER_EVENTS) {
        fake->events_asked++;
        exchange->answer = fake->events != NULL ? fake->events(fake, call)
                                                : (struct provider_answer){.outcome = PROVIDER_DONE};
        loop_post(&fake->loop->base, &exchange->task);
        return;
    }
    fake_provider_note(fake, call);
    if (fake->holds) {
        list_append(&fake->held, &exchange->link);
        return;
    }
    exchange->answer =
        fake->answered < fake->answer_count ? fake->answers[fake->answered++] : fake->otherwise;
    loop_post(&fake->loop->base, &exchange->task);
}

// One that is kept under way ends without an answer; the others are answered anyhow.
static inline void fake_provider_abandon(struct provider *provider, struct provider_call *call)
{
    struct fake_provider *fake = CONTAINER_OF(provider, struct fake_provider, base);
    LIST_EACH_SAFE(&fake->held, node, after)
    {
        struct fake_exchange *exchange = CONTAINER_OF(node, struct fake_exchange, link);
        if (exchange->call == call) {
            list_remove(node);
            exchange->answer = (struct provider_answer){
                .outcome = PROVIDER_UNKNOWN, .unreachable = true, .reason = "abandoned"};
            loop_post(&fake->loop->base, &exchange->task);
        }
    }
}

static inline void fake_provider_init(struct fake_provider *fake, struct fake_loop *loop)
{
    fake->ops = *provider_default();
    fake->ops.send = fake_provider_send;
    fake->ops.abandon_call = fake_provider_abandon;
    fake->base.ops = &fake->ops;
    fake->loop = loop;
    fake->otherwise = (struct provider_answer){.outcome = PROVIDER_UNKNOWN, .reason = "no answer"};
    list_init(&fake->held);
}

// Lays down the next answer.
static inline void fake_provider_will(struct fake_provider *fake, struct provider_answer answer)
{
    REQUIRE(fake->answer_count < FAKE_ANSWERS_MAX);
    fake->answers[fake->answer_count++] = answer;
}

// Answers the oldest call under way.
static inline void fake_provider_answer(struct fake_provider *fake, struct provider_answer answer)
{
    struct list *first = list_take_first(&fake->held);
    REQUIRE(first != NULL);
    fake_exchange_end(CONTAINER_OF(first, struct fake_exchange, link), answer);
}

// The process died with these calls under way: nothing of them is left.
static inline void fake_provider_die(struct fake_provider *fake)
{
    for (struct list *node = list_take_first(&fake->held); node != NULL;
         node = list_take_first(&fake->held)) {
        struct fake_exchange *exchange = CONTAINER_OF(node, struct fake_exchange, link);
        op_free(CONTAINER_OF(exchange->call, struct op, call));
        free(exchange);
    }
}

static inline size_t fake_provider_count(const struct fake_provider *fake, enum provider_verb verb)
{
    size_t count = 0;
    for (size_t i = 0; i < fake->call_count; i++) {
        count += fake->calls[i].verb == verb;
    }
    return count;
}
