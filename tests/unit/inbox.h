// The part of a loop that the store uses, for its tests: no clock and no sockets.
#pragma once

#include <pthread.h>
#include <stddef.h>

#include "base/loop.h"

// Tasks come from any thread and run in this one, in order.
struct inbox {
    struct loop loop;
    pthread_mutex_t mutex;
    pthread_cond_t posted;
    struct list tasks;
};

static inline void inbox_post(struct loop *loop, struct task *task)
{
    struct inbox *inbox = CONTAINER_OF(loop, struct inbox, loop);
    pthread_mutex_lock(&inbox->mutex);
    list_append(&inbox->tasks, &task->link);
    pthread_cond_signal(&inbox->posted);
    pthread_mutex_unlock(&inbox->mutex);
}

static const struct loop_ops inbox_ops = {.post = inbox_post};

static inline void inbox_init(struct inbox *inbox)
{
    inbox->loop.ops = &inbox_ops;
    pthread_mutex_init(&inbox->mutex, NULL);
    pthread_cond_init(&inbox->posted, NULL);
    list_init(&inbox->tasks);
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
