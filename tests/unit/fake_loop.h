// A loop on a virtual clock, for tests in one thread: tasks run in the order of posting, timers fire in the
// order of their time, and time passes only when the test lets it.
#pragma once

#include "base/loop.h"
#include "base/require.h"

struct fake_loop {
    struct loop base;
    int64_t mono_us;
    int64_t wall_offset_us;
    int64_t tasks_run;
    int64_t timers_fired;
    struct list tasks;
    struct list timers;
};

static inline struct fake_loop *fake_loop_of(struct loop *loop)
{
    return CONTAINER_OF(loop, struct fake_loop, base);
}

static inline int64_t fake_wall_us(struct loop *loop)
{
    return fake_loop_of(loop)->mono_us + fake_loop_of(loop)->wall_offset_us;
}

static inline int64_t fake_mono_us(struct loop *loop)
{
    return fake_loop_of(loop)->mono_us;
}

static inline void fake_post(struct loop *loop, struct list *tasks)
{
    list_splice(&fake_loop_of(loop)->tasks, tasks);
}

static inline void fake_timer_stop(struct loop *loop, struct timer *timer)
{
    (void)loop;
    if (list_linked(&timer->link)) {
        list_remove(&timer->link);
    }
}

static inline void fake_timer_start(struct loop *loop, struct timer *timer, int64_t delay_us)
{
    fake_timer_stop(loop, timer);
    timer->due_us = fake_loop_of(loop)->mono_us + delay_us;
    list_append(&fake_loop_of(loop)->timers, &timer->link);
}

static const struct loop_ops fake_loop_ops = {.wall_us = fake_wall_us,
                                              .mono_us = fake_mono_us,
                                              .post = fake_post,
                                              .timer_start = fake_timer_start,
                                              .timer_stop = fake_timer_stop};

static inline void fake_loop_init(struct fake_loop *loop, int64_t wall_us)
{
    *loop = (struct fake_loop){.base = {&fake_loop_ops}, .wall_offset_us = wall_us};
    list_init(&loop->tasks);
    list_init(&loop->timers);
}

// The task that was posted first; there must be one.
static inline void fake_loop_run_task(struct fake_loop *loop)
{
    struct list *first = list_take_first(&loop->tasks);
    REQUIRE(first);
    struct task *task = CONTAINER_OF(first, struct task, link);
    loop->tasks_run++;
    task->run(task);
}

static inline void fake_loop_run_tasks(struct fake_loop *loop)
{
    while (!list_empty(&loop->tasks)) {
        fake_loop_run_task(loop);
    }
}

static inline struct timer *fake_loop_first_timer(struct fake_loop *loop)
{
    struct timer *first = NULL;
    LIST_EACH_SAFE(&loop->timers, node, after)
    {
        struct timer *timer = CONTAINER_OF(node, struct timer, link);
        first = !first || timer->due_us < first->due_us ? timer : first;
    }
    return first;
}

// Lets this much time pass, with all that happens in it.
static inline void fake_loop_run_for(struct fake_loop *loop, int64_t duration_us)
{
    int64_t end_us = loop->mono_us + duration_us;
    fake_loop_run_tasks(loop);
    for (struct timer *timer; (timer = fake_loop_first_timer(loop)) != NULL && timer->due_us <= end_us;) {
        list_remove(&timer->link);
        loop->mono_us = timer->due_us > loop->mono_us ? timer->due_us : loop->mono_us;
        loop->timers_fired++;
        timer->fire(timer);
        fake_loop_run_tasks(loop);
    }
    loop->mono_us = end_us;
}
