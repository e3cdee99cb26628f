// The part of a loop that the store uses, for its tests: no wall clock and no sockets.
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <time.h>

#include "base/loop.h"

// Tasks come from any thread and run in this one, in order.
struct inbox {
    struct loop loop;
    pthread_mutex_t mutex;
    pthread_cond_t posted;
    struct list tasks;
};

static inline void inbox_post(struct loop *loop, struct list *tasks)
{
    struct inbox *inbox = CONTAINER_OF(loop, struct inbox, loop);
    pthread_mutex_lock(&inbox->mutex);
    list_splice(&inbox->tasks, tasks);
    pthread_cond_signal(&inbox->posted);
    pthread_mutex_unlock(&inbox->mutex);
}

static inline int64_t inbox_mono_us(struct loop *loop)
{
    (void)loop;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline void inbox_end_turn(struct loop *loop, struct task *task)
{
    (void)loop;
    task->run(task);
}

static const struct loop_ops inbox_ops = {
    .mono_us = inbox_mono_us, .post = inbox_post, .end_turn = inbox_end_turn};

static inline void inbox_init(struct inbox *inbox)
{
    inbox->loop.ops = &inbox_ops;
    pthread_mutex_init(&inbox->mutex, NULL);
    pthread_cond_init(&inbox->posted, NULL);
    list_init(&inbox->tasks);
}

// Waits until that many tasks have been posted, and runs none.
static inline void inbox_await(struct inbox *inbox, size_t tasks)
{
    pthread_mutex_lock(&inbox->mutex);
    for (size_t posted = 0; posted < tasks;) {
        posted = 0;
        LIST_EACH_SAFE(&inbox->tasks, link, after)
        {
            posted++;
        }
        if (posted < tasks) {
            pthread_cond_wait(&inbox->posted, &inbox->mutex);
        }
    }
    pthread_mutex_unlock(&inbox->mutex);
}

// Waits for that many tasks and runs them.
static inline void inbox_run(struct inbox *inbox, size_t tasks)
{
    for (size_t i = 0; i < tasks; i++) {
        pthread_mutex_lock(&inbox->mutex);
        while (list_empty(&inbox->tasks)) {
            pthread_cond_wait(&inbox->posted, &inbox->mutex);
        }
        struct task *task = CONTAINER_OF(list_take_first(&inbox->tasks), struct task, link);
        pthread_mutex_unlock(&inbox->mutex);
        task->run(task);
    }
}
