// The seam between the service and its event loop: clocks, timers, and tasks that other threads post.
// net/uv_loop.c is the real one. A simulated one runs the whole service in one thread on a virtual clock.
#pragma once

#include <stdint.h>

#include "base/list.h"

// Work for the loop thread. The owner keeps it alive until it has run.
struct task {
    struct list link;
    void (*run)(struct task *task);
};

// There are a few dozen timers, one for each kind of work that is due by time; never one for each request.
struct timer {
    struct list link;
    int64_t due_us; // monotonic
    void (*fire)(struct timer *timer);
};

struct loop;
struct loop_ops {
    int64_t (*wall_us)(struct loop *loop);               // any thread; microseconds since 1970, may jump
    int64_t (*mono_us)(struct loop *loop);               // any thread; never goes back
    void (*post)(struct loop *loop, struct list *tasks); // takes them all
    void (*end_turn)(struct loop *loop, struct task *task);
    void (*timer_start)(struct loop *loop, struct timer *timer, int64_t delay_us);
    void (*timer_stop)(struct loop *loop, struct timer *timer);
};
struct loop {
    const struct loop_ops *ops;
};

static inline int64_t loop_wall_us(struct loop *loop)
{
    return loop->ops->wall_us(loop);
}

static inline int64_t loop_mono_us(struct loop *loop)
{
    return loop->ops->mono_us(loop);
}

// Runs the task on the loop thread, soon, in the order of posting. Any thread.
static inline void loop_post(struct loop *loop, struct task *task)
{
    struct list one;
    list_init(&one);
    list_append(&one, &task->link);
    loop->ops->post(loop, &one);
}

// The same for a list of tasks (by task.link), which is empty afterwards: the loop is woken once for all.
static inline void loop_post_all(struct loop *loop, struct list *tasks)
{
    loop->ops->post(loop, tasks);
}

// Runs the task once, when the loop has handled everything that woke it and before it waits again. A task
// that is not in another list may be called off by list_remove. Loop thread.
static inline void loop_end_turn(struct loop *loop, struct task *task)
{
    loop->ops->end_turn(loop, task);
}

static inline void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    list_init(&timer->link);
    timer->fire = fire;
}

// Fires once after delay_us (a started timer is moved). Loop thread.
static inline void timer_start(struct loop *loop, struct timer *timer, int64_t delay_us)
{
    loop->ops->timer_start(loop, timer, delay_us);
}

// Stops it if it is started. Loop thread.
static inline void timer_stop(struct loop *loop, struct timer *timer)
{
    loop->ops->timer_stop(loop, timer);
}
