// The real loop: order of tasks and timers, posts from other threads, signals, and that closing frees all.
#include "unit_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/resolve.h"
#include "net/uv_loop.h"

#define THREADS 4
#define TASKS_EACH 2000

static struct uv_service_loop *service;
static struct loop *loop;

static int open_loop(void **state)
{
    (void)state;
    if (uv_service_loop_open(&service, NULL) != OK) {
        return 1;
    }
    loop = uv_service_loop_base(service);
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    uv_service_loop_close(service);
    return 0;
}

struct numbered {
    struct task task;
    int thread;
    int number;
};
static int next_of_thread[THREADS];
static int ran;

static void count_task(struct task *task)
{
    struct numbered *numbered = CONTAINER_OF(task, struct numbered, task);
    assert_int_equal(numbered->number, next_of_thread[numbered->thread]++);
    if (++ran == THREADS * TASKS_EACH) {
        uv_service_loop_stop(service);
    }
    free(numbered);
}

static void *post_many(void *cls)
{
    for (int i = 0; i < TASKS_EACH; i++) {
        struct numbered *numbered = calloc(1, sizeof(*numbered));
        REQUIRE(numbered != NULL);
        *numbered = (struct numbered){.task.run = count_task, .thread = *(int *)cls, .number = i};
        loop_post(loop, &numbered->task);
    }
    return NULL;
}

static void tasks_of_other_threads_run_here_in_the_order_of_posting(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int ids[THREADS];
    ran = 0;
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        next_of_thread[i] = 0;
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &ids[i]), 0);
    }
    uv_service_loop_run(service);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(next_of_thread[i], TASKS_EACH);
    }
}

static char trail[32];

static void trail_add(char c)
{
    size_t length = strlen(trail);
    REQUIRE(length + 1 < sizeof(trail));
    trail[length] = c;
    trail[length + 1] = '\0';
}

static struct task first_task;
static struct task second_task;
static struct task posted_by_first;

static void stop_task(struct task *task)
{
    (void)task;
    trail_add('c');
    uv_service_loop_stop(service);
}

static void first_runs(struct task *task)
{
    (void)task;
    trail_add('a');
    posted_by_first.run = stop_task;
    loop_post(loop, &posted_by_first);
}

static void second_runs(struct task *task)
{
    (void)task;
    trail_add('b');
}

static void a_task_runs_after_those_that_were_posted_before(void **state)
{
    (void)state;
    trail[0] = '\0';
    first_task.run = first_runs;
    second_task.run = second_runs;
    loop_post(loop, &first_task);
    loop_post(loop, &second_task);
    uv_service_loop_run(service);
    assert_string_equal(trail, "abc");
}

struct lettered {
    struct timer timer;
    char letter;
    int64_t fired_us;
};

static void timer_fires(struct timer *timer)
{
    struct lettered *lettered = CONTAINER_OF(timer, struct lettered, timer);
    lettered->fired_us = loop_mono_us(loop);
    trail_add(lettered->letter);
    if (lettered->letter == '.') {
        uv_service_loop_stop(service);
    }
}

static void timers_fire_in_the_order_they_are_due_and_never_early(void **state)
{
    (void)state;
    static const char letters[] = "dacb.";
    static const int64_t delays_ms[] = {25, 0, 15, 5, 40};
    struct lettered timers[5];
    trail[0] = '\0';
    int64_t start_us = loop_mono_us(loop);
    for (int i = 0; i < 5; i++) {
        timers[i].letter = letters[i];
        timer_init(&timers[i].timer, timer_fires);
        timer_start(loop, &timers[i].timer, delays_ms[i] * US_PER_MS);
    }
    uv_service_loop_run(service);
    assert_string_equal(trail, "abcd.");
    for (int i = 0; i < 5; i++) {
        assert_true(timers[i].fired_us - start_us >= delays_ms[i] * US_PER_MS);
    }
}

static void a_started_timer_is_moved_and_a_stopped_one_does_not_fire(void **state)
{
    (void)state;
    struct lettered moved_later = {.letter = '.'};
    struct lettered moved_sooner = {.letter = 's'};
    struct lettered stopped = {.letter = 'x'};
    struct lettered never_started = {.letter = 'y'};
    trail[0] = '\0';
    timer_init(&moved_later.timer, timer_fires);
    timer_init(&moved_sooner.timer, timer_fires);
    timer_init(&stopped.timer, timer_fires);
    timer_init(&never_started.timer, timer_fires);
    timer_start(loop, &moved_later.timer, 0);
    timer_start(loop, &moved_later.timer, 20 * US_PER_MS);
    timer_start(loop, &moved_sooner.timer, 3600 * US_PER_S);
    timer_start(loop, &moved_sooner.timer, 1 * US_PER_MS);
    timer_start(loop, &stopped.timer, 5 * US_PER_MS);
    timer_stop(loop, &stopped.timer);
    timer_stop(loop, &stopped.timer);
    timer_stop(loop, &never_started.timer);
    uv_service_loop_run(service);
    assert_string_equal(trail, "s.");
}

static struct timer restarting;
static int restarts;

static void restart(struct timer *timer)
{
    if (++restarts == 5) {
        uv_service_loop_stop(service);
        return;
    }
    timer_start(loop, timer, 1 * US_PER_MS);
}

static void a_timer_may_start_itself_again(void **state)
{
    (void)state;
    restarts = 0;
    timer_init(&restarting, restart);
    timer_start(loop, &restarting, 0);
    uv_service_loop_run(service);
    assert_int_equal(restarts, 5);
}

static struct lettered victim = {.letter = 'x'};

static void stop_victim(struct timer *timer)
{
    (void)timer;
    timer_stop(loop, &victim.timer);
}

static void a_timer_may_stop_another_that_is_due_as_well(void **state)
{
    (void)state;
    struct timer killer;
    struct lettered end = {.letter = '.'};
    trail[0] = '\0';
    timer_init(&killer, stop_victim);
    timer_init(&victim.timer, timer_fires);
    timer_init(&end.timer, timer_fires);
    timer_start(loop, &killer, 0);
    timer_start(loop, &victim.timer, 0);
    timer_start(loop, &end.timer, 5 * US_PER_MS);
    uv_service_loop_run(service);
    assert_string_equal(trail, ".");
}

static int signals_seen[2];

static void on_signal(int signal_number, void *context)
{
    assert_ptr_equal(context, &signals_seen[signal_number == SIGUSR2]);
    (*(int *)context)++;
    if (signals_seen[0] && signals_seen[1]) {
        uv_service_loop_stop(service);
    }
}

static void signals_reach_their_handlers_on_the_loop(void **state)
{
    (void)state;
    memset(signals_seen, 0, sizeof(signals_seen));
    uv_service_loop_on_signal(service, SIGUSR1, on_signal, &signals_seen[0]);
    uv_service_loop_on_signal(service, SIGUSR2, on_signal, &signals_seen[1]);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(raise(SIGUSR2), 0);
    uv_service_loop_run(service);
    assert_int_equal(signals_seen[0], 1);
    assert_int_equal(signals_seen[1], 1);
}

static void the_clocks_tell_the_time(void **state)
{
    (void)state;
    int64_t before_us = loop_mono_us(loop);
    int64_t wall_us = loop_wall_us(loop);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    assert_true(loop_mono_us(loop) >= before_us);
    assert_true(llabs(now.tv_sec - wall_us / US_PER_S) <= 1);
}

static void asked_too_late(void *context, const struct address *addresses, size_t count, bool tried)
{
    (void)context;
    (void)addresses;
    (void)count;
    (void)tried;
    fail_msg("the loop is closing");
}

static void closing_waits_for_a_lookup_and_notifies_nobody(void **state)
{
    (void)state;
    struct lettered waiting = {.letter = 'x'};
    timer_init(&waiting.timer, timer_fires);
    resolve(service, "localhost", 60000, asked_too_late, NULL);
    timer_start(loop, &waiting.timer, 3600 * US_PER_S);
    uv_service_loop_stop(service);
    uv_service_loop_close(service);
    assert_int_equal(uv_service_loop_open(&service, NULL), OK); // for the teardown
}

static void found(void *context, const struct address *addresses, size_t count, bool tried)
{
    *(bool *)context = tried && count > 0 && address_is_special(&addresses[0]);
    uv_service_loop_stop(service);
}

static void a_host_is_resolved_without_stopping_the_loop(void **state)
{
    (void)state;
    bool is_loopback = false;
    resolve(service, "localhost", 60000, found, &is_loopback);
    uv_service_loop_run(service);
    assert_true(is_loopback);
}

#define POOL_THREADS_MAX 1024 // libuv's own bound

static uv_sem_t let_go;

static void hold_a_thread(uv_work_t *work)
{
    (void)work;
    uv_sem_wait(&let_go);
}

static void not_found(void *context, const struct address *addresses, size_t count, bool tried)
{
    (void)addresses;
    *(bool *)context = count == 0 && !tried;
    uv_service_loop_stop(service);
}

static void a_lookup_that_found_every_thread_busy_was_not_tried(void **state)
{
    (void)state;
    static uv_work_t holders[POOL_THREADS_MAX];
    bool untried = false;
    assert_int_equal(uv_sem_init(&let_go, 0), 0);
    for (size_t i = 0; i < COUNT_OF(holders); i++) {
        assert_int_equal(uv_queue_work(uv_service_loop_uv(service), &holders[i], hold_a_thread, NULL), 0);
    }
    resolve(service, "localhost", 20, not_found, &untried);
    uv_service_loop_run(service);
    assert_true(untried);
    for (size_t i = 0; i < COUNT_OF(holders); i++) {
        uv_sem_post(&let_go);
    }
    uv_service_loop_close(service); // waits for them
    uv_sem_destroy(&let_go);
    assert_int_equal(uv_service_loop_open(&service, NULL), OK); // for the teardown
}

static void a_stop_before_the_run_ends_it_at_once(void **state)
{
    (void)state;
    uv_service_loop_stop(service);
    uv_service_loop_run(service);
}

static void ends_turn(struct task *task)
{
    (void)task;
    trail_add('a');
    first_task.run = stop_task;
    loop_end_turn(loop, &first_task);
}

static void the_end_of_a_turn_comes_after_its_tasks(void **state)
{
    (void)state;
    struct list tasks;
    struct task called_off = {.run = stop_task};
    trail[0] = '\0';
    loop_end_turn(loop, &called_off);
    list_remove(&called_off.link);
    posted_by_first.run = ends_turn;
    second_task.run = second_runs;
    list_init(&tasks);
    list_append(&tasks, &posted_by_first.link);
    list_append(&tasks, &second_task.link);
    loop_post_all(loop, &tasks);
    uv_service_loop_run(service);
    assert_string_equal(trail, "abc");
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(tasks_of_other_threads_run_here_in_the_order_of_posting),
        LOOP_TEST(a_task_runs_after_those_that_were_posted_before),
        LOOP_TEST(the_end_of_a_turn_comes_after_its_tasks),
        LOOP_TEST(timers_fire_in_the_order_they_are_due_and_never_early),
        LOOP_TEST(a_started_timer_is_moved_and_a_stopped_one_does_not_fire),
        LOOP_TEST(a_timer_may_start_itself_again),
        LOOP_TEST(a_timer_may_stop_another_that_is_due_as_well),
        LOOP_TEST(signals_reach_their_handlers_on_the_loop),
        LOOP_TEST(the_clocks_tell_the_time),
        LOOP_TEST(closing_waits_for_a_lookup_and_notifies_nobody),
        LOOP_TEST(a_host_is_resolved_without_stopping_the_loop),
        LOOP_TEST(a_lookup_that_found_every_thread_busy_was_not_tried),
        LOOP_TEST(a_stop_before_the_run_ends_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
