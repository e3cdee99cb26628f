// paymentsd serve: wires the layers together on one loop and closes them in order. Loop thread.
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "cli/commands.h"
#include "cli/service.h"
#include "cli/shutdown_marker.h"
#include "cli/start_memory.h"
#include "cli/startup.h"
#include "net/http2_client.h"
#include "op/kinds/kinds.h"
#include "provider/stripe/stripe.h"
#include "store/payments.h"

#define USER_AGENT "paymentsd/" PAYMENTSD_VERSION
#define READERS 2
#define BATCH_MAX 256
// Connections to the provider if it speaks only HTTP/1.1. HTTP/2 needs few.
#define PROVIDER_CONNECTIONS_MAX 512
#define CONNECTIONS_MAX 1000
// HTTP/2 connections to the provider, if each carried few of the calls that may be in flight.
#define HTTP2_CONNECTIONS_MIN 32
#define HTTP2_CALLS_OF_CONNECTION 64

static void wake_engine(void *context)
{
    struct service *service = context;
    engine_due(service->engine, 0);
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
    buf_printf(
        out,
        "# HELP payments_provider_connections_opened_total HTTP/2 connections opened to the provider.\n"
        "# TYPE payments_provider_connections_opened_total counter\n"
        "payments_provider_connections_opened_total %lld\n",
        (long long)stats.opened_total);
    buf_printf(out,
               "# HELP payments_provider_connections_lost_total HTTP/2 connections that ended with calls in "
               "progress.\n"
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
               "# HELP payments_deliveries_in_flight Webhook deliveries in progress.\n"
               "# TYPE payments_deliveries_in_flight gauge\npayments_deliveries_in_flight %lld\n",
               (long long)stats.in_flight);
    buf_printf(out, "# HELP payments_deliveries_total Attempts to deliver a webhook, by result.\n"
                    "# TYPE payments_deliveries_total counter\n");
    buf_printf(out, "payments_deliveries_total{result=\"delivered\"} %lld\n",
               (long long)stats.delivered_total);
    buf_printf(out, "payments_deliveries_total{result=\"failed\"} %lld\n", (long long)stats.failed_total);
    buf_printf(out, "payments_deliveries_total{result=\"dead\"} %lld\n", (long long)stats.dead_total);
    buf_printf(
        out,
        "# HELP payments_deliveries_set_aside_total Webhooks postponed because a damaged row prevents "
        "sending them.\n"
        "# TYPE payments_deliveries_set_aside_total counter\npayments_deliveries_set_aside_total %lld\n",
        (long long)stats.set_aside_total);
    add_connection_metrics(service, out);
}

static enum errc open_provider_client(struct service *service, struct err *err)
{
    const struct config *config = service->config;
    service->provider_client = service->provider_http1;
    if (strncasecmp(config->provider_api_base, "https:", 6) != 0) {
        return OK;
    }
    const int64_t needed = config->operations_max / HTTP2_CALLS_OF_CONNECTION;
    struct http2_client_options options = {
        .connections_max = needed > HTTP2_CONNECTIONS_MIN ? needed : HTTP2_CONNECTIONS_MIN,
        .origin = config->provider_api_base,
        .user_agent = USER_AGENT,
        .ca_file = config->provider_ca_file,
        .proxy = config->proxy,
        .http1 = service->provider_http1,
    };
    return http2_client_open(service->uv_loop, &options, &service->provider_client, err);
}

static enum errc open_clients(struct service *service, struct err *err)
{
    const struct config *config = service->config;
    struct http_client_options options = {
        .user_agent = USER_AGENT,
        .ca_file = config->provider_ca_file,
        .proxy = config->proxy,
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

// What the setting allows, or else what the provider is known to allow at this address.
static struct pace_rates rates_of(const struct config *config, const struct provider *provider)
{
    struct pace_rates rates;
    if (config->provider_rate == NULL) {
        return provider->ops->default_rates(config->provider_api_base);
    }
    REQUIRE(pace_rates_parse(config->provider_rate, &rates, NULL) == OK); // startup.c has checked it
    return rates;
}

static enum errc open_work(struct service *service, struct err *err)
{
    const struct config *config = service->config;
    struct stripe_options stripe = {
        .client = service->provider_client,
        .api_base = config->provider_api_base,
        .timeout_ms = config->provider_timeout_ms,
    };
    service->provider = stripe_open(&stripe);
    const struct uuid left = store_stop_mark(service->store);
    const bool is_same =
        service->was_stopped_cleanly || (!uuid_is_nil(&left) && uuid_equal(&left, &service->stop_mark));
    enum engine_start start = service->had_database && !is_same ? START_UNSURE : START_SURE;
    struct engine_options engine = {
        .start = service->accept_restored ? START_ACCEPTED : start,
        .kinds = op_kinds,
        .loop = service->loop,
        .store = service->store,
        .provider = service->provider,
        .keyring = service->keyring,
        .config = config,
        .random = &random_system,
        .rates = rates_of(config, service->provider),
    };
    service->engine = engine_open(&engine);
    struct delivery_options delivery = {
        .loop = service->loop,
        .store = service->store,
        .client = service->webhook_client,
        .keyring = service->keyring,
        .config = config,
        .random = &random_system,
        .sweep_us = DELIVERY_SWEEP_US,
    };
    enum errc rc = delivery_start(&delivery, &service->delivery, err);
    if (rc == OK) {
        const struct store_listener listener = {
            .events = delivery_listener(service->delivery), .work_due = wake_engine, .context = service};
        store_listen(service->store, &listener);
    }
    return rc;
}

// Refuses a database that was created with other keys.
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
    char host[HOST_NAME_MAX + 1] = "";
    (void)gethostname(host, sizeof(host) - 1);
    struct store_options store = {
        .database = config->database,
        .readers = READERS,
        .queue_max = (size_t)config->queue_max,
        .wait_max_us = config->queue_wait_ms * US_PER_MS,
        .batch_max = BATCH_MAX,
        .random = &random_system,
        .keyring = service->keyring,
        .node_name = arena_printf(service->arena, "%s %s", host, config->listen),
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
        .add_metrics = add_metrics,
        .context = service,
    };
    return rc == OK ? api_open(&api, &service->api, err) : rc;
}

static void close_service(struct service *service)
{
    bool in_place = store_in_place(service->store);
    struct uuid mark;
    http_client_close(service->provider_http1);
    if (service->provider_client !=
        service->provider_http1) { // the calls that ended just now may have sent more
        http_client_close(service->provider_client);
    }
    http_client_close(service->webhook_client);
    api_free(service->api);
    store_close(service->store);
    mark = store_stop_mark(service->store);
    delivery_free(service->delivery);
    engine_free(service->engine);
    stripe_close(service->provider);
    store_free(service->store);
    uv_service_loop_close(service->uv_loop);
    if (in_place && service->was_ready) { // otherwise the next start must not trust this database
        shutdown_marker_write(service->config, &mark);
    }
}

int cmd_serve(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    bool accept_restored = false;
    const struct flag flags[] = {
        {"--accept-restored", NULL, NULL, &accept_restored,
         "serve a restored database as it is, without fetching from Stripe what it lacks"},
    };
    const struct command_form form = {.flags = flags, .flag_count = COUNT_OF(flags), .lists_settings = true};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    start_memory_set_up();
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; // every connection needs a descriptor
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    // Operators send these to other services; by default they would end this one.
    (void)signal(SIGUSR1, SIG_IGN);
    (void)signal(SIGUSR2, SIG_IGN);
    log_never_wait();
    service_set_log_level(command.config.log_level);
    struct service service = {.argc = argc,
                              .argv = argv,
                              .command = &command,
                              .accept_restored = accept_restored,
                              .config = &command.config,
                              .keyring = &command.keyring,
                              .arena = &command.arena};
    struct err err;
    if (store_exists(command.config.database, &service.had_database, &err) != OK ||
        startup_load_keys(&command.config, &command.keyring, &err) != OK) {
        return command_fail(&err);
    }
    service.was_stopped_cleanly = shutdown_marker_consume(&command.config, &service.stop_mark);
    if (open_service(&service, &err) != OK) {
        _exit(command_fail(&err)); // running threads still use everything
    }
    service_run(&service);
    if (service.end == END_CLEAN) {
        close_service(&service);
    }
    LOG(LOG_INFO, "stopped");
    if (service.end != END_CLEAN) {
        _exit(service.end == END_CALLS_OPEN ? 0 : EXIT_FAILURE); // unfinished work still uses everything
    }
    return 0;
}
