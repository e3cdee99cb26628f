// The real loop: tasks posted by any thread, timers in one sorted list, and signals, all on one libuv loop.
// Invariants: other threads use only `posted`, under `mutex`, and `async`; all else belongs to the loop
// thread. One uv_timer_t serves every timer: it is armed for the first of the list.
#include "net/uv_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/require.h"
#include "base/timefmt.h"

struct signal_watch {
    uv_signal_t handle;
    struct list link;
    void (*on_signal)(int signal_number, void *context);
    void *context;
};

struct uv_service_loop {
    struct loop base;
    uv_loop_t uv;
    uv_async_t async;
    uv_timer_t timer;
    uv_prepare_t prepare;
    struct list timers;  // of struct timer, soonest first
    struct list ending;  // of struct task, for the end of the turn
    bool tasks_ran;      // in this turn
    struct list signals; // of struct signal_watch
    bool closing;
    pthread_mutex_t mutex;
    struct list posted; // of struct task
};

static struct uv_service_loop *service_of(struct loop *loop)
{
    return CONTAINER_OF(loop, struct uv_service_loop, base);
}

static int64_t service_wall_us(struct loop *loop)
{
    (void)loop;
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static int64_t service_mono_us(struct loop *loop)
{
    (void)loop;
    return (int64_t)(uv_hrtime() / 1000);
}

static void service_post(struct loop *loop, struct list *tasks)
{
    struct uv_service_loop *service = service_of(loop);
    REQUIRE(pthread_mutex_lock(&service->mutex) == 0);
    bool first = list_empty(&service->posted);
    list_splice(&service->posted, tasks);
    REQUIRE(pthread_mutex_unlock(&service->mutex) == 0);
    if (first) { // else a wake-up is already under way
        REQUIRE(uv_async_send(&service->async) == 0);
    }
}

static void run_all(struct list *tasks)
{
    for (struct list *node = list_take_first(tasks); node; node = list_take_first(tasks)) {
        struct task *task = CONTAINER_OF(node, struct task, link);
        task->run(task); // may free it
    }
}

// Runs the tasks posted so far. What they post themselves waits for the loop's next turn, so that no chain of
// tasks keeps the sockets waiting. While 1,024 sockets or more are ready libuv takes them in up to 48 rounds
// of one turn, and calls this in each. Each round then ends like a turn: the database threads wait for no
// later one.
static void on_async(uv_async_t *async)
{
    struct uv_service_loop *service = async->data;
    struct list batch;
    list_init(&batch);
    REQUIRE(pthread_mutex_lock(&service->mutex) == 0);
    list_splice(&batch, &service->posted);
    REQUIRE(pthread_mutex_unlock(&service->mutex) == 0);
    run_all(&batch);
    if (service->tasks_ran) {
        run_all(&service->ending);
    }
    service->tasks_ran = true;
}

static void service_end_turn(struct loop *loop, struct task *task)
{
    list_append(&service_of(loop)->ending, &task->link);
}

static void on_prepare(uv_prepare_t *handle)
{
    struct uv_service_loop *service = handle->data;
    run_all(&service->ending);
    service->tasks_ran = false;
}

static void on_timer(uv_timer_t *handle);

static struct timer *first_timer(struct uv_service_loop *service)
{
    return list_empty(&service->timers) ? NULL : CONTAINER_OF(service->timers.next, struct timer, link);
}

static void timer_arm(struct uv_service_loop *service)
{
    if (service->closing) {
        return;
    }
    struct timer *first = first_timer(service);
    if (!first) {
        REQUIRE(uv_timer_stop(&service->timer) == 0);
        return;
    }
    int64_t wait_us = first->due_us - service_mono_us(&service->base);
    uint64_t wait_ms = wait_us > 0 ? (uint64_t)((wait_us + US_PER_MS - 1) / US_PER_MS) : 0;
    uv_update_time(&service->uv); // libuv counts from its cached time, which is old after a long callback
    REQUIRE(uv_timer_start(&service->timer, on_timer, wait_ms, 0) == 0);
}

// Fires the timers that were due when it began. One that restarts itself without delay waits for the next
// turn.
static void on_timer(uv_timer_t *handle)
{
    struct uv_service_loop *service = handle->data;
    int64_t now_us = service_mono_us(&service->base);
    for (struct timer *first = first_timer(service); first && first->due_us <= now_us;
         first = first_timer(service)) {
        list_remove(&first->link);
        first->fire(first);
    }
    timer_arm(service);
}

static void service_timer_stop(struct loop *loop, struct timer *timer)
{
    struct uv_service_loop *service = service_of(loop);
    if (!list_linked(&timer->link)) {
        return;
    }
    bool was_first = first_timer(service) == timer;
    list_remove(&timer->link);
    if (was_first) {
        timer_arm(service);
    }
}

static void service_timer_start(struct loop *loop, struct timer *timer, int64_t delay_us)
{
    struct uv_service_loop *service = service_of(loop);
    REQUIRE(delay_us >= 0);
    list_remove(&timer->link);
    timer->due_us = service_mono_us(loop) + delay_us;
    struct list *after = service->timers.prev; // from the end: most timers are started with the longest delay
    while (after != &service->timers && CONTAINER_OF(after, struct timer, link)->due_us > timer->due_us) {
        after = after->prev;
    }
    list_append(after->next, &timer->link); // before the node that follows
    if (first_timer(service) == timer) {
        timer_arm(service);
    }
}

static const struct loop_ops service_ops = {
    .wall_us = service_wall_us,
    .mono_us = service_mono_us,
    .post = service_post,
    .end_turn = service_end_turn,
    .timer_start = service_timer_start,
    .timer_stop = service_timer_stop,
};

// libuv uses half of its threads for lookups. By default that is two, which two silent name servers would
// block.
#define THREADS "32"

enum errc uv_service_loop_open(struct uv_service_loop **loop, struct err *err)
{
    struct uv_service_loop *service = calloc(1, sizeof(*service));
    REQUIRE(service != NULL);
    REQUIRE(setenv("UV_THREADPOOL_SIZE", THREADS, 0) == 0); // read when the first thread is needed
    int failed = uv_loop_init(&service->uv);
    if (failed) {
        free(service);
        return err_set(err, ERR_IO, "event loop: %s", uv_strerror(failed));
    }
    service->base.ops = &service_ops;
    list_init(&service->timers);
    list_init(&service->ending);
    list_init(&service->signals);
    list_init(&service->posted);
    REQUIRE(pthread_mutex_init(&service->mutex, NULL) == 0);
    REQUIRE(uv_timer_init(&service->uv, &service->timer) == 0);
    service->timer.data = service;
    REQUIRE(uv_prepare_init(&service->uv, &service->prepare) == 0);
    REQUIRE(uv_prepare_start(&service->prepare, on_prepare) == 0);
    service->prepare.data = service;
    failed = uv_async_init(&service->uv, &service->async, on_async);
    if (failed) { // no descriptor left: the async handle was never made, the others are closed with the loop
        uv_close((uv_handle_t *)&service->timer, NULL);
        uv_close((uv_handle_t *)&service->prepare, NULL);
        uv_run(&service->uv, UV_RUN_DEFAULT);
        REQUIRE(uv_loop_close(&service->uv) == 0);
        pthread_mutex_destroy(&service->mutex);
        free(service);
        return err_set(err, ERR_IO, "event loop: %s", uv_strerror(failed));
    }
    service->async.data = service;
    *loop = service;
    return OK;
}

struct loop *uv_service_loop_base(struct uv_service_loop *loop)
{
    return &loop->base;
}

uv_loop_t *uv_service_loop_uv(struct uv_service_loop *loop)
{
    return &loop->uv;
}

void uv_service_loop_run(struct uv_service_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void uv_service_loop_stop(struct uv_service_loop *loop)
{
    uv_stop(&loop->uv);
}

static void on_signal_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_signal_t *)handle, struct signal_watch, handle));
}

// Otherwise the loop would wait for this handle forever: its owner has not closed it.
static void require_closing(uv_handle_t *handle, void *context)
{
    (void)context;
    REQUIRE(uv_is_closing(handle));
}

void uv_service_loop_close(struct uv_service_loop *loop)
{
    loop->closing = true;
    LIST_EACH_SAFE(&loop->signals, node, after)
    {
        struct signal_watch *watch = CONTAINER_OF(node, struct signal_watch, link);
        uv_close((uv_handle_t *)&watch->handle, on_signal_closed);
    }
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->async, NULL);
    uv_walk(&loop->uv, require_closing, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT); // a stop still pending ends this one at once
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    REQUIRE(uv_loop_close(&loop->uv) == 0);
    REQUIRE(pthread_mutex_destroy(&loop->mutex) == 0);
    free(loop);
}

bool uv_service_loop_is_closing(const struct uv_service_loop *loop)
{
    return loop->closing;
}

static void on_uv_signal(uv_signal_t *handle, int signal_number)
{
    struct signal_watch *watch = CONTAINER_OF(handle, struct signal_watch, handle);
    watch->on_signal(signal_number, watch->context);
}

void uv_service_loop_on_signal(struct uv_service_loop *loop, int signal_number,
                               void (*on_signal)(int signal_number, void *context), void *context)
{
    struct signal_watch *watch = calloc(1, sizeof(*watch));
    REQUIRE(watch != NULL);
    watch->on_signal = on_signal;
    watch->context = context;
    REQUIRE(uv_signal_init(&loop->uv, &watch->handle) == 0);
    REQUIRE(uv_signal_start(&watch->handle, on_uv_signal, signal_number) == 0);
    list_append(&loop->signals, &watch->link);
}
