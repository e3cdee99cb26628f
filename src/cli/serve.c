// paymentsd serve: wires the layers together, runs them on one loop, and takes them down in order. Loop
// thread.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "api/api.h"
#include "base/log.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/startup.h"
#include "delivery/delivery.h"
#include "net/http2_client.h"
#include "op/op.h"
#include "provider/stripe.h"
#include "store/payments.h"

#define USER_AGENT "paymentsd/" PAYMENTSD_VERSION
#define READERS 2
#define BATCH_MAX 256
// Connections to the provider where it speaks only HTTP/1.1; over HTTP/2 they are few.
#define PROVIDER_CONNECTIONS_MAX 512
#define CONNECTIONS_MAX 1000
#define PAYMENTS_COUNTED_MAX 1000000
#define DRAIN_CHECK_US (20 * US_PER_MS)

enum service_end {
    END_CLEAN,
    END_CALLS_OPEN,  // calls of ours did not end in time
    END_CALLERS_CUT, // nor did calls to us
};

struct service {
    int argc;
    char **argv;
    const struct command *command;
    const struct config *config;
    struct keyring *keyring;
    struct arena *arena;
    bool had_database; // before this start
    int64_t payments;  // in it, counted up to PAYMENTS_COUNTED_MAX
    struct uv_service_loop *uv_loop;
    struct loop *loop;
    struct store *store;
    struct http_client *provider_http1;
    struct http_client
        *provider_client; // over HTTP/2 where the provider's address is https, else provider_http1
    struct http_client *webhook_client;
    struct provider *provider;
    struct engine *engine;
    struct delivery *delivery;
    struct api *api;
    struct timer drain_timer;
    int64_t drain_until_us; // monotonic; 0: not draining
    enum service_end end;
};

static void tell_manager(const char *state)
{
#ifdef HAVE_SYSTEMD
    (void)sd_notify(0, state);
#else
    (void)state;
#endif
}

static void on_told(void *context)
{
    struct service *service = context;
    delivery_wake(service->delivery);
}

static void on_ready(void *context)
{
    (void)context;
    LOG(LOG_INFO, "ready");
    tell_manager("READY=1");
}

static void add_connection_metrics(const struct service *service, struct buf *out)
{
    struct http2_client_stats stats = {0};
    if (service->provider_client != service->provider_http1) {
        http2_client_stats(service->provider_client, &stats);
    }
    buf_printf(out,
               "# HELP payments_provider_connections HTTP/2 connections to the provider.\n"
               "# TYPE payments_provider_connections gauge\npayments_provider_connections %lld\n",
               (long long)stats.connections);
    buf_printf(out,
               "# HELP payments_provider_connections_opened_total HTTP/2 connections that were made.\n"
               "# TYPE payments_provider_connections_opened_total counter\n"
               "payments_provider_connections_opened_total %lld\n",
               (long long)stats.opened_total);
    buf_printf(out,
               "# HELP payments_provider_connections_lost_total HTTP/2 connections that ended under calls.\n"
               "# TYPE payments_provider_connections_lost_total counter\n"
               "payments_provider_connections_lost_total %lld\n",
               (long long)stats.lost_total);
}

static void add_metrics(struct buf *out, void *context)
{
    struct service *service = context;
    struct delivery_stats stats;
    delivery_stats(service->delivery, &stats);
    buf_printf(out,
               "# HELP payments_deliveries_in_flight Webhook deliveries under way.\n"
               "# TYPE payments_deliveries_in_flight gauge\npayments_deliveries_in_flight %lld\n",
               (long long)stats.in_flight);
    buf_printf(out,
               "# HELP payments_deliveries_total Attempts to deliver a webhook, by what became of them.\n"
               "# TYPE payments_deliveries_total counter\n");
    buf_printf(out, "payments_deliveries_total{result=\"delivered\"} %lld\n",
               (long long)stats.delivered_total);
    buf_printf(out, "payments_deliveries_total{result=\"failed\"} %lld\n", (long long)stats.failed_total);
    buf_printf(out, "payments_deliveries_total{result=\"dead\"} %lld\n", (long long)stats.dead_total);
    add_connection_metrics(service, out);
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

static void set_log_level(const char *name)
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
    set_log_level(config.log_level);
    LOG(LOG_INFO, "settings read again", LOG_STR("log_level", config.log_level));
}

// Every connection needs a descriptor.
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static enum errc open_provider_client(struct service *service, struct err *err)
{
    const struct config *config = service->config;
    service->provider_client = service->provider_http1;
    if (strncasecmp(config->stripe_api_base, "https:", 6) != 0) {
        return OK;
    }
    struct http2_client_options options = {
        .origin = config->stripe_api_base,
        .user_agent = USER_AGENT,
        .ca_file = config->stripe_ca_file,
        .http1 = service->provider_http1,
    };
    return http2_client_open(service->uv_loop, &options, &service->provider_client, err);
}

static enum errc open_clients(struct service *service, struct err *err)
{
    const struct config *config = service->config;
    struct http_client_options options = {
        .user_agent = USER_AGENT,
        .ca_file = config->stripe_ca_file,
        .connections_max = CONNECTIONS_MAX,
        .host_connections_max = PROVIDER_CONNECTIONS_MAX,
    };
    enum errc rc = http_client_curl_open(service->uv_loop, &options, &service->provider_http1, err);
    if (rc == OK) {
        rc = open_provider_client(service, err);
    }
    if (rc != OK) {
        return rc;
    }
    options.ca_file = NULL;
    options.host_connections_max = (long)config->webhook_in_flight_max; // merchants may share a host
    rc = network_list_parse(config->webhook_allow, service->arena, &options.allow, err);
    return rc == OK ? http_client_curl_open(service->uv_loop, &options, &service->webhook_client, err) : rc;
}

static enum errc open_work(struct service *service, struct err *err)
{
    const struct config *config = service->config;
    struct stripe_options stripe = {
        .client = service->provider_client,
        .api_base = config->stripe_api_base,
        .timeout_ms = config->stripe_timeout_ms,
    };
    service->provider = stripe_open(&stripe);
    struct engine_options engine = {
        .loop = service->loop,
        .store = service->store,
        .provider = service->provider,
        .keyring = service->keyring,
        .config = config,
        .random = &random_system,
        .rates = stripe_rates(config->stripe_rate, config->stripe_api_base),
        .on_told = on_told,
        .context = service,
    };
    service->engine = engine_open(&engine);
    struct delivery_options delivery = {
        .loop = service->loop,
        .store = service->store,
        .client = service->webhook_client,
        .keyring = service->keyring,
        .config = config,
        .random = &random_system,
    };
    return delivery_start(&delivery, &service->delivery, err);
}

// Refuses a database that was made with other keys.
static enum errc check_database(struct db *db, void *context, struct err *err)
{
    struct service *service = context;
    enum errc rc = command_check_keys(service->command, db, err);
    return rc == OK ? payment_count(db, PAYMENTS_COUNTED_MAX, &service->payments, err) : rc;
}

static enum errc open_service(struct service *service, struct err *err)
{
    const struct config *config = service->config;
    enum errc rc = uv_service_loop_open(&service->uv_loop, err);
    if (rc != OK) {
        return rc;
    }
    service->loop = uv_service_loop_base(service->uv_loop);
    timer_init(&service->drain_timer, check_drained);
    struct store_options store = {
        .database = config->database,
        .readers = READERS,
        .queue_max = (size_t)config->queue_max,
        .batch_max = BATCH_MAX,
        .check = check_database,
        .check_context = service,
    };
    rc = store_open(service->loop, &store, &service->store, err);
    if (rc == OK) {
        rc = open_clients(service, err);
    }
    if (rc == OK) {
        rc = open_work(service, err);
    }
    struct api_options api = {
        .uv_loop = service->uv_loop,
        .loop = service->loop,
        .store = service->store,
        .engine = service->engine,
        .keyring = service->keyring,
        .config = config,
        .random = &random_system,
        .on_told = on_told,
        .add_metrics = add_metrics,
        .context = service,
    };
    return rc == OK ? api_open(&api, &service->api, err) : rc;
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

static void serve(struct service *service)
{
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

static void close_service(struct service *service)
{
    http_client_close(service->provider_http1);
    if (service->provider_client !=
        service->provider_http1) { // the calls that ended just now may have sent more
        http_client_close(service->provider_client);
    }
    http_client_close(service->webhook_client);
    api_free(service->api);
    store_close(service->store);
    delivery_free(service->delivery);
    engine_free(service->engine);
    stripe_close(service->provider);
    store_free(service->store);
    uv_service_loop_close(service->uv_loop);
}

int cmd_serve(int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const struct command_form form = {.name = "serve", .lists_settings = true};
    int status;
    if (!command_begin(&command, &form, argc, argv, &status)) {
        return status;
    }
    raise_limits();
    log_never_wait();
    set_log_level(command.config.log_level);
    // Static, so that what a failed start leaves open is in reach to the end, and no leak.
    static struct service service;
    service = (struct service){.argc = argc,
                               .argv = argv,
                               .command = &command,
                               .config = &command.config,
                               .keyring = &command.keyring,
                               .arena = &command.arena};
    struct err err;
    if (startup_check_settings(&command.config, &command.arena, &err) != OK ||
        startup_has_database(&command.config, &service.had_database, &err) != OK ||
        startup_load_keys(&command.config, &command.keyring, &err) != OK) {
        return command_fail(&err);
    }
    if (open_service(&service, &err) != OK) {
        return command_fail(&err); // the process ends: the system takes back what was opened
    }
    serve(&service);
    if (service.end == END_CLEAN) {
        close_service(&service);
    }
    LOG(LOG_INFO, "stopped");
    if (service.end != END_CLEAN) {
        _exit(service.end == END_CALLS_OPEN ? 0 : EXIT_MISTAKE); // what is under way still uses everything
    }
    return 0;
}
