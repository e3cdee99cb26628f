// The running service: what it logs about itself, how it handles signals, and how it shuts down. Loop thread.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "cli/manager.h"
#include "cli/service.h"
#include "cli/start_memory.h"

#define DRAIN_CHECK_US (20 * US_PER_MS)

static void on_ready(void *context)
{
    struct service *service = context;
    service->was_ready = true;
    start_memory_return();
    LOG(LOG_INFO, "ready");
    manager_notify("READY=1");
}

// Lets everything under way end: first the engine, which answers the API's callers and feeds the delivery.
// Every caller gets an answer: when a quarter of the time is left, those who still wait for the provider get
// what is known by then. A provider call or a delivery that does not end in time is left to the next start,
// which finds it in the database.
static void check_drained(struct timer *timer)
{
    struct service *service = CONTAINER_OF(timer, struct service, drain_timer);
    int64_t left_us = service->drain_until_us - loop_mono_us(service->loop);
    bool engine_done =
        engine_drain(service->engine, left_us < service->config->drain_timeout_ms * US_PER_MS / 4);
    bool api_done = api_drain(service->api);
    bool delivery_done = delivery_drain(service->delivery);
    if (engine_done && api_done && delivery_done) {
        service->end = END_CLEAN;
    } else if (left_us <= 0) {
        LOG(LOG_WARN, "stopped with unfinished work; the next start continues it");
        service->end = api_done ? END_CALLS_OPEN : END_REQUESTS_CUT;
    } else {
        timer_start(service->loop, &service->drain_timer, DRAIN_CHECK_US);
        return;
    }
    uv_service_loop_stop(service->uv_loop);
}

static void on_stop_signal(int signal_number, void *context)
{
    struct service *service = context;
    if (service->drain_until_us != 0) {
        return;
    }
    LOG(LOG_INFO, "stopping", LOG_INT("signal", signal_number));
    manager_notify("STOPPING=1");
    service->drain_until_us = loop_mono_us(service->loop) + service->config->drain_timeout_ms * US_PER_MS;
    check_drained(&service->drain_timer);
}

void service_set_log_level(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++) {
        if (text_equal(name, names[i])) {
            log_set_level((enum log_level)i);
        }
    }
}

// Reads the settings again and applies the only one that can change while the service runs: the log level.
static void on_reload_signal(int signal_number, void *context)
{
    (void)signal_number;
    struct service *service = context;
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct config config = {0};
    struct err err;
    int rest = 0;
    if (config_load(&config, &arena, service->argc, service->argv, environ, NULL, 0, &rest, &err) != OK) {
        LOG(LOG_ERROR, "cannot reload the settings; nothing changed", LOG_STR("error", err.message));
        return;
    }
    service_set_log_level(config.log_level);
    LOG(LOG_INFO, "settings reloaded", LOG_STR("log_level", config.log_level));
}

// An operator must notice a new database where an old one was meant: it would charge again.
static void log_database(const struct service *service)
{
    const char *database = service->config->database;
    const char *key = store_file(database) != NULL ? "file" : "database";
    const char *name = store_name(database, service->arena);
    if (service->had_database) {
        LOG(LOG_INFO, "the database is open", LOG_STR(key, name),
            LOG_INT(service->payments < PAYMENTS_COUNTED_MAX ? "payments" : "payments_at_least",
                    service->payments));
    } else {
        LOG(LOG_WARN, "created a new database", LOG_STR(key, name), LOG_INT("payments", service->payments));
    }
}

// With a terminal, SIGHUP means that the terminal was closed, and stops the service, unless it was started
// with nohup. Without one, as under a service manager, SIGHUP means reload.
static bool ends_with_terminal(void)
{
    struct sigaction hangup;
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (terminal >= 0) {
        (void)close(terminal);
    }
    return terminal >= 0 && sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN;
}

void service_run(struct service *service)
{
    timer_init(&service->drain_timer, check_drained);
    log_database(service);
    uv_service_loop_on_signal(service->uv_loop, SIGTERM, on_stop_signal, service);
    uv_service_loop_on_signal(service->uv_loop, SIGINT, on_stop_signal, service);
    uv_service_loop_on_signal(service->uv_loop, SIGHUP,
                              ends_with_terminal() ? on_stop_signal : on_reload_signal, service);
    LOG(LOG_INFO, "listening", LOG_STR("listen", service->config->listen),
        LOG_INT("port", api_port(service->api)), LOG_STR("version", PAYMENTSD_VERSION));
    engine_start(service->engine, on_ready, service);
    uv_service_loop_run(service->uv_loop);
}
