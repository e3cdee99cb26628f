// See service.h.
#include "service.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/log.h"
#include "base/require.h"
#include "delivery/delivery.h"
#include "disk.h"
#include "domain/api_key.h"
#include "domain/scopes.h"
#include "op/engine/op.h"
#include "op/kinds/kinds.h"
#include "provider/stripe/stripe.h"
#include "store/api_keys.h"
#include "store/merchants.h"
#include "store/sealed.h"
#include "world.h"

// What the service holds from one start to its crash. Never freed: see service.h.
struct process {
    struct loop loop;
    struct list tasks;
    struct list timers;
    struct store *store;
    struct engine *engine;
    struct delivery *delivery;
    struct api *api;
};

struct service service;

static struct process *process;
static struct http_client *stripe_client;
static struct http_client *merchant_client;
static jmp_buf crash_point;
static bool running; // the service's code is running and may crash
static bool losing_power;
static char directory[] = "/tmp/paymentsd-sim-XXXXXX";
static char database[128];
static int first_descriptor;

// --- the event loop

static int64_t wall_us(struct loop *loop)
{
    (void)loop;
    return service_wall_us();
}

static int64_t mono_us(struct loop *loop)
{
    (void)loop;
    return world.now_us;
}

static void post(struct loop *loop, struct list *tasks)
{
    list_splice(&CONTAINER_OF(loop, struct process, loop)->tasks, tasks);
}

static void stop_timer(struct loop *loop, struct timer *timer)
{
    (void)loop;
    if (list_linked(&timer->link)) {
        list_remove(&timer->link);
    }
}

static void start_timer(struct loop *loop, struct timer *timer, int64_t delay_us)
{
    stop_timer(loop, timer);
    timer->due_us = world.now_us + delay_us;
    list_append(&CONTAINER_OF(loop, struct process, loop)->timers, &timer->link);
}

static const struct loop_ops loop_ops = {.wall_us = wall_us,
                                         .mono_us = mono_us,
                                         .post = post,
                                         .timer_start = start_timer,
                                         .timer_stop = stop_timer};

int64_t service_wall_us(void)
{
    return WORLD_START_US + service.wall_offset_us + world.now_us;
}

void service_step_clock(int64_t step_us)
{
    service.wall_offset_us += step_us;
    world.counts.clock_steps++;
    int64_t off_us = service.wall_offset_us < 0 ? -service.wall_offset_us : service.wall_offset_us;
    world.clock_was_far = world.clock_was_far || off_us > 280 * US_PER_S;
    note("the service's clock is set by %lld ms", (long long)(step_us / 1000));
}

// --- start and crash

static void crash(void)
{
    REQUIRE(running);
    longjmp(crash_point, 1);
}

static void end_process(void)
{
    running = false;
    service.up = false;
    process = NULL;
    disk_crash(losing_power);
    close_range((unsigned)first_descriptor, ~0U, 0); // releases its lock on the database
    if (losing_power) {
        world.counts.power_losses++;
    } else {
        world.counts.kills++;
    }
    note("the service %s", losing_power ? "lost its power" : "was killed");
}

static void wake_engine(void *context)
{
    engine_due(((struct process *)context)->engine, 0);
}

static void on_ready(void *context)
{
    (void)context;
}

static void add_metrics(struct buf *out, void *context)
{
    (void)out;
    (void)context;
}

static enum errc open_layers(struct err *err)
{
    struct store_options store = {.database = database,
                                  .readers = 0,
                                  .queue_max = (size_t)service.config.queue_max,
                                  .batch_max = 256,
                                  .random = &world.random,
                                  .keyring = &service.keyring};
    enum errc rc = store_open(&process->loop, &store, &process->store, err);
    if (rc != OK) {
        return rc;
    }
    struct stripe_options stripe = {
        .client = stripe_client, .api_base = STRIPE_BASE, .timeout_ms = service.config.provider_timeout_ms};
    struct engine_options engine = {
        .start = START_UNSURE, // it is never stopped in good order
        .kinds = op_kinds,
        .loop = &process->loop,
        .store = process->store,
        .provider = stripe_open(&stripe),
        .keyring = &service.keyring,
        .config = &service.config,
        .random = &world.random,
    };
    process->engine = engine_open(&engine);
    struct delivery_options delivery = {
        .loop = &process->loop,
        .store = process->store,
        .client = merchant_client,
        .keyring = &service.keyring,
        .config = &service.config,
        .random = &world.random,
        .sweep_us = service.delivery_sweep_us,
    };
    rc = delivery_start(&delivery, &process->delivery, err);
    const struct store_listener listener = {
        .events = delivery_listener(process->delivery), .work_due = wake_engine, .context = process};
    store_listen(process->store, &listener);
    struct api_options api = {
        .loop = &process->loop,
        .store = process->store,
        .engine = process->engine,
        .keyring = &service.keyring,
        .config = &service.config,
        .random = &world.random,
        .add_metrics = add_metrics,
        .context = process,
    };
    return rc == OK ? api_open(&api, &process->api, err) : rc;
}

// Runs a step of the service. Returns false if it crashed.
static bool run_or_crash(void (*step)(void))
{
    if (setjmp(crash_point) != 0) {
        end_process();
        return false;
    }
    running = true;
    step();
    running = false;
    return true;
}

static void start_process(void)
{
    struct err err = {0};
    if (open_layers(&err) != OK) { // the disk failed; a supervisor starts it again
        note("it cannot start: %s", err.message);
        crash();
    }
    engine_start(process->engine, on_ready, process);
    service.up = true;
}

static void start_again(void *context)
{
    (void)context;
    service_start();
}

void service_start(void)
{
    process = calloc(1, sizeof(*process));
    REQUIRE(process != NULL);
    process->loop.ops = &loop_ops;
    list_init(&process->tasks);
    list_init(&process->timers);
    service.incarnation++;
    losing_power = false;
    note("the service starts (start %d)", service.incarnation);
    if (!run_or_crash(start_process)) {
        world_after(5 * US_PER_S, start_again, NULL);
    }
}

static void restart_later(void)
{
    int64_t downtime_us =
        random_below(10) == 0 ? random_between(60, 1200) * US_PER_S : random_between(10000, 5000000);
    world_after(downtime_us, start_again, NULL);
}

void service_kill(bool power_lost)
{
    if (service.up) {
        losing_power = power_lost;
        end_process();
        restart_later();
    }
}

void service_kill_within(int64_t disk_calls, bool power_lost)
{
    losing_power = power_lost;
    disk_die_after(disk_calls, crash);
}

static struct timer *first_timer(void)
{
    struct timer *first = NULL;
    LIST_EACH_SAFE(&process->timers, node, after)
    {
        struct timer *timer = CONTAINER_OF(node, struct timer, link);
        first = first == NULL || timer->due_us < first->due_us ? timer : first;
    }
    return first;
}

static void run_task(void)
{
    struct task *task = CONTAINER_OF(list_take_first(&process->tasks), struct task, link);
    task->run(task);
}

static void fire_timer(void)
{
    struct timer *timer = first_timer();
    list_remove(&timer->link);
    world.now_us = timer->due_us > world.now_us ? timer->due_us : world.now_us;
    timer->fire(timer);
}

bool service_step(int64_t until_us)
{
    struct timer *timer = service.up && list_empty(&process->tasks) ? first_timer() : NULL;
    int64_t timer_us = timer != NULL ? timer->due_us : INT64_MAX;
    void (*step)(void) = NULL;
    if (service.up && !list_empty(&process->tasks)) {
        step = run_task;
    } else if (timer_us <= world_next_us()) {
        step = fire_timer;
    } else {
        step = world_run_next;
    }
    if (step != run_task && timer_us > until_us && world_next_us() > until_us) {
        world.now_us = until_us;
        return false;
    }
    if (!run_or_crash(step)) {
        restart_later();
    }
    return true;
}

// --- installation

static enum errc add_merchant(struct db *db, struct service_merchant *merchant, int number, struct err *err)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    int64_t now_us = service_wall_us();
    struct uuid id = uuid_new(&world.random, now_us);
    uuid_format(&id, merchant->id);
    struct sealed sealed = seal(&service.keyring.master, &arena, sealed_context(&arena, SEALED_WEBHOOK, &id),
                                WEBHOOK_SECRET, strlen(WEBHOOK_SECRET));
    struct merchant row = {
        .id = id,
        .name = "shop",
        .is_active = true,
        .webhook_url = arena_printf(&arena, "https://merchant%d.sim/hook", number),
        .webhook_secret = sealed.data,
        .webhook_secret_bytes = sealed.bytes,
        .created_us = now_us,
        .updated_us = now_us,
    };
    api_key_make(&world.random, true, merchant->api_key);
    char prefix[API_KEY_PREFIX_CHARS + 1];
    api_key_prefix(merchant->api_key, prefix);
    struct api_key key = {
        .id = uuid_new(&world.random, now_us),
        .merchant_id = id,
        .prefix = prefix,
        .scopes = SCOPE_ALL,
        .livemode = true,
        .created_us = now_us,
    };
    api_key_hash(service.keyring.pepper, merchant->api_key, key.hash);
    (void)snprintf(merchant->stripe_key, sizeof(merchant->stripe_key), "sk_test_simulated%d", number);
    enum errc rc = merchant_insert(db, &row, err);
    return rc == OK ? api_key_insert(db, &key, err) : rc;
}

static enum errc add_merchants(struct db *db, void *context, struct err *err)
{
    (void)context;
    enum errc rc = OK;
    for (int i = 0; rc == OK && i < SERVICE_MERCHANTS; i++) {
        rc = add_merchant(db, &service.merchants[i], i, err);
    }
    return rc;
}

void service_install(struct http_client *to_stripe, struct http_client *to_merchants)
{
    stripe_client = to_stripe;
    merchant_client = to_merchants;
    static struct arena arena;
    static char schedule[] = "--webhook-schedule=5,60,300,900";
    static char webhooks_kept[] = "--webhooks-kept=400d"; // promises.c counts them
    char *arguments[] = {schedule, webhooks_kept, NULL};
    static char home[] = "HOME=/nonexistent"; // no settings file is found there
    char *environment[] = {home, NULL};
    int rest = 0;
    struct err err = {0};
    uint8_t master[SEAL_KEY_BYTES] = {1};
    REQUIRE(mkdtemp(directory) != NULL);
    (void)snprintf(database, sizeof(database), "sqlite:%s/payments.db", directory);
    REQUIRE(config_load(&service.config, &arena, 2, arguments, environment, NULL, 0, &rest, &err) == OK);
    if (world.seed / 2 % 2 == 0) { // a short window often ends while a call waits for a connection
        service.config.charge_window_ms = random_between(5, 40) * 1000;
    }
    service.charge_window_us = service.config.charge_window_ms * US_PER_MS;
    service.delivery_sweep_us = SERVICE_DELIVERY_SWEEP_US;
    seal_key_set(&service.keyring.master, master);
    log_set_level(LOG_ERROR);
    first_descriptor = dup(STDIN_FILENO);
    close(first_descriptor);
    bool faults_off = world.faults_off;
    world.faults_off = true; // the merchants are added before any fault
    REQUIRE(store_run_once(database, add_merchants, NULL, &err) == OK);
    world.faults_off = faults_off;
}

const char *service_database(void)
{
    return database + strlen("sqlite:");
}

void service_uninstall(void)
{
    (void)rmdir(directory);
}
