// paymentsd serve while it serves: what it says of itself, what signals do, and its end in good order. Loop
// thread.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/log.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "cli/service.h"
#include "cli/startup.h"

#define DRAIN_CHECK_US (20 * US_PER_MS)

static void tell_manager(const char *state)
{
#ifdef HAVE_SYSTEMD
    (void)sd_notify(0, state);
#else
    (void)state;
#endif
}

static void on_ready(void *context)
{
    struct service *service = context;
    service->is_taken_up = true;
    LOG(LOG_INFO, "ready");
    tell_manager("READY=1");
}

// Everything that is under way ends, in the order of who feeds whom. Callers are answered in any case: those
// who still wait for the provider when a quarter of the time is left are told what is known by then. A call
// to the provider or a delivery that does not end in time is left to the next start, which finds it in the
// database.
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
        LOG(LOG_WARN, "stopped with work under way; the next start goes on with it");
        service->end = api_done ? END_CALLS_OPEN : END_CALLERS_CUT;
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
    tell_manager("STOPPING=1");
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

// Reads the settings again, as file and flags are now, and takes over what can change while serving: the log
// level.
static void on_reload_signal(int signal_number, void *context)
{
    (void)signal_number;
    struct service *service = context;
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct config config = {0};
    struct err err;
    int rest = 0;
    if (config_load(&config, &arena, service->argc, service->argv, environ, NULL, 0, &rest, &err) != OK) {
        LOG(LOG_ERROR, "the settings could not be read again; nothing changed",
            LOG_STR("error", err.message));
        return;
    }
    service_set_log_level(config.log_level);
    LOG(LOG_INFO, "settings read again", LOG_STR("log_level", config.log_level));
}

// A new database, where an old one was meant, knows of no payment and would charge again: it must be seen.
static void tell_database(const struct service *service)
{
    char whole[PATH_MAX];
    const char *file = startup_database_file(service->config);
    file = realpath(file, whole) != NULL ? whole : file;
    if (service->had_database) {
        LOG(LOG_INFO, "the database is open", LOG_STR("file", file),
            LOG_INT(service->payments < PAYMENTS_COUNTED_MAX ? "payments" : "payments_at_least",
                    service->payments));
    } else {
        LOG(LOG_WARN, "a new database was made", LOG_STR("file", file),
            LOG_INT("payments", service->payments));
    }
}

// With a terminal, a hang-up is that terminal's end, and ends the service; without one, as under a service
// manager, it asks for a reload. Whoever started it by nohup wants it to outlive the terminal.
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
    tell_database(service);
    uv_service_loop_on_signal(service->uv_loop, SIGTERM, on_stop_signal, service);
    uv_service_loop_on_signal(service->uv_loop, SIGINT, on_stop_signal, service);
    uv_service_loop_on_signal(service->uv_loop, SIGHUP,
                              ends_with_terminal() ? on_stop_signal : on_reload_signal, service);
    LOG(LOG_INFO, "listening", LOG_STR("listen", service->config->listen),
        LOG_INT("port", api_port(service->api)), LOG_STR("version", PAYMENTSD_VERSION));
    engine_start(service->engine, on_ready, service);
    uv_service_loop_run(service->uv_loop);
}
