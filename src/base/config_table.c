// Every setting, its bounds and its help; reading one value; printing the table. Pure except for the
// printing. A new setting is one row here (and in CONFIG_ROW_COUNT) and one field in struct config.
#include "base/config_table.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"

#define MS INT64_C(1)
#define S (1000 * MS)
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)

#define FIELD(field) offsetof(struct config, field)

const struct config_row config_rows[CONFIG_ROW_COUNT] = {
    {"config", 0, CONFIG_FILE, NULL, 0, 0, NULL,
     "A settings file: one \"name = value\" per line; # starts a comment."},
    {"listen", FIELD(listen), CONFIG_TEXT, "127.0.0.1:8080", 0, 0, NULL, "Address and port to listen on."},
    {"data-dir", FIELD(data_dir), CONFIG_TEXT, CONFIG_STATE_HOME "/paymentsd", 0, 0, NULL,
     "Directory of the database and the key files. The default is $STATE_DIRECTORY if systemd sets it, else "
     "$XDG_STATE_HOME/paymentsd if that is set."},
    {"database", FIELD(database), CONFIG_TEXT, "sqlite:" CONFIG_DATA_DIR "/payments.db", 0, 0, NULL,
     "The database: sqlite:PATH, or postgresql://USER:PASSWORD@HOST/NAME as libpq reads it."},
    {"master-key-file", FIELD(master_key_file), CONFIG_TEXT, CONFIG_DATA_DIR "/master.key", 0, 0, NULL,
     "File of the key that encrypts credentials: 32 bytes as base64 or 64 hex digits. The first start makes "
     "it."},
    {"pepper-file", FIELD(pepper_file), CONFIG_TEXT, CONFIG_DATA_DIR "/pepper.key", 0, 0, NULL,
     "File of the key that hashes API keys, in the same form. The first start makes it."},
    {"stripe-api-base", FIELD(provider_api_base), CONFIG_TEXT, "https://api.stripe.com", 0, 0, NULL,
     "URL of Stripe's API, or of a stand-in for it."},
    {"stripe-ca-file", FIELD(provider_ca_file), CONFIG_TEXT, NULL, 0, 0, NULL,
     "File of certificates (PEM) to trust for that URL in addition to the system's."},
    {"stripe-timeout", FIELD(provider_timeout_ms), CONFIG_DURATION, "80s", 100 * MS, 10 * M, NULL,
     "Time limit of one call to Stripe."},
    {"stripe-rate", FIELD(provider_rate), CONFIG_TEXT, NULL, 0, 0, NULL,
     "Calls per second to one merchant's account in test mode and in live mode, such as 25,100; or off. If "
     "not "
     "set: 25,100 at Stripe's own URL, off at any other."},
    {"webhook-allow", FIELD(webhook_allow), CONFIG_TEXT, NULL, 0, 0, NULL,
     "Private addresses that webhooks may go to: comma-separated addresses and CIDRs."},
    {"webhook-allow-http", FIELD(webhook_allow_http), CONFIG_BOOL, "false", 0, 0, NULL,
     "Allow webhooks to http:// URLs."},
    {"webhook-schedule", FIELD(webhook_schedule), CONFIG_TEXT,
     "5,300,1800,7200,18000,36000,50400,72000,86400", 0, 0, NULL,
     "Seconds between the attempts to deliver a webhook, comma-separated."},
    {"webhook-timeout", FIELD(webhook_timeout_ms), CONFIG_DURATION, "15s", 100 * MS, 5 * M, NULL,
     "Time limit of one attempt to deliver a webhook."},
    {"webhook-in-flight", FIELD(webhook_in_flight_max), CONFIG_INT, "256", 1, 1000, NULL,
     "Maximum concurrent webhook deliveries. Merchants whose last delivery failed use at most half of them."},
    {"webhook-endpoint-in-flight", FIELD(webhook_endpoint_max), CONFIG_INT, "8", 1, 1000, NULL,
     "Maximum concurrent webhook deliveries to one merchant; "
     "one at a time after a delivery failed, until one succeeds."},
    {"proxy", FIELD(proxy), CONFIG_TEXT, NULL, 0, 0, NULL,
     "HTTP proxy (http://host:port) for calls to Stripe and to webhook endpoints. It must refuse private "
     "addresses itself."},
    {"trusted-proxies", FIELD(trusted_proxies), CONFIG_TEXT, NULL, 0, 0, NULL,
     "Proxies that are trusted to name a client's address: comma-separated addresses and CIDRs."},
    {"charge-window", FIELD(charge_window_ms), CONFIG_DURATION, "10m", 1 * S, 23 * H, NULL,
     "How long a charge with an unknown outcome is sent again before it is only looked up. Stripe keeps an "
     "idempotency key for 24h."},
    {"patience", FIELD(patience_ms), CONFIG_DURATION, "30s", 100 * MS, 10 * M, NULL,
     "How long a request waits for Stripe before it is answered \"pending\"."},
    {"reconcile-interval", FIELD(reconcile_interval_ms), CONFIG_DURATION, "5s", 100 * MS, 1 * H, NULL,
     "Time between sweeps for payments whose outcome is not known."},
    {"events-interval", FIELD(events_interval_ms), CONFIG_DURATION, "60s", 100 * MS, 24 * H, NULL,
     "How often to fetch Stripe's events for a merchant without a webhook secret."},
    {"answers-kept", FIELD(answers_kept_ms), CONFIG_DURATION, "2d", 1 * S, 36500 * D, NULL,
     "How long the first answer to a request is kept for repeats. A later repeat of its idempotency key is "
     "answered with the payment as it then is."},
    {"webhooks-kept", FIELD(webhooks_kept_ms), CONFIG_DURATION, "30d", 1 * S, 36500 * D, NULL,
     "How long webhooks are kept that were delivered or given up."},
    {"history-kept", FIELD(history_kept_ms), CONFIG_DURATION, "400d", 1 * S, 36500 * D, NULL,
     "How long the history of a payment is kept. The payment itself is never deleted."},
    {"audit-counts-kept", FIELD(audit_counts_kept_ms), CONFIG_DURATION, "90d", 1 * S, 36500 * D, NULL,
     "How long the audit log keeps counts of authentications. Its other entries are never deleted."},
    {"connections", FIELD(connections_max), CONFIG_INT, "4096", 16, 1000000, NULL,
     "Maximum concurrent client connections."},
    {"connections-per-address", FIELD(connections_per_address_max), CONFIG_INT, "256", 1, 1000000, NULL,
     "Maximum concurrent client connections from one address, once half of all are taken. Trusted proxies "
     "may "
     "have more."},
    {"idle-timeout", FIELD(idle_timeout_ms), CONFIG_DURATION, "90s", 1 * S, 1 * H, NULL,
     "How long a client's connection may be idle, in whole seconds. Set it longer than your proxy's."},
    {"request-timeout", FIELD(request_timeout_ms), CONFIG_DURATION, "30s", 1 * S, 10 * M, NULL,
     "How long a client may take to send a request or to read the answer, in whole seconds."},
    {"operations", FIELD(operations_max), CONFIG_INT, "2048", 1, 100000, NULL,
     "Maximum concurrent calls to Stripe. Beyond it, requests are answered 503."},
    {"queue", FIELD(queue_max), CONFIG_INT, "8192", 16, 1000000, NULL,
     "Maximum database jobs, waiting or running. Beyond it, requests are answered 503."},
    {"queue-wait", FIELD(queue_wait_ms), CONFIG_DURATION, "250ms", 10 * MS, 10 * M, NULL,
     "How long one API key's requests may wait for the database. If they would wait longer for three "
     "seconds on end, further ones are answered 503."},
    {"drain-timeout", FIELD(drain_timeout_ms), CONFIG_DURATION, "30s", 100 * MS, 1 * H, NULL,
     "Maximum time from SIGTERM to exit."},
    {"log-level", FIELD(log_level), CONFIG_CHOICE, "info", 0, 0, "debug info warn error",
     "The lowest level that is logged."},
};

const struct config_row *config_row_find(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (strlen(config_rows[i].name) == name_bytes && memcmp(config_rows[i].name, name, name_bytes) == 0) {
            return &config_rows[i];
        }
    }
    return NULL;
}

const char *config_row_variable(const struct config_row *row, struct arena *arena)
{
    char *variable = arena_printf(arena, "PAYMENTS_%s", text_upper(arena, row->name));
    for (char *at = variable; *at != '\0'; at++) {
        if (*at == '-') {
            *at = '_';
        }
    }
    return variable;
}

struct unit {
    const char *suffix;
    int64_t ms;
};
static const struct unit units[] = {{"d", D}, {"h", H}, {"m", M}, {"s", S}, {"ms", MS}};

// The duration in the largest unit that divides it.
static const char *duration_text(struct arena *arena, int64_t ms)
{
    size_t i = 0;
    while (i + 1 < COUNT_OF(units) && ms % units[i].ms != 0) {
        i++;
    }
    return arena_printf(arena, "%lld%s", (long long)(ms / units[i].ms), units[i].suffix);
}

// The values that the row accepts, in words.
static const char *expected(const struct config_row *row, struct arena *arena)
{
    switch (row->kind) {
    case CONFIG_CHOICE:
        return arena_printf(arena, "one of: %s", row->choices);
    case CONFIG_INT:
        return arena_printf(arena, "a number from %lld to %lld", (long long)row->least, (long long)row->most);
    case CONFIG_BOOL:
        return "true or false";
    case CONFIG_DURATION:
        return arena_printf(arena, "a duration from %s to %s (units ms, s, m, h, d)",
                            duration_text(arena, row->least), duration_text(arena, row->most));
    case CONFIG_TEXT:
    case CONFIG_FILE:
        break;
    }
    REQUIRE(!"a kind of setting with bounds");
}

static bool read_duration(const char *value, int64_t *ms)
{
    size_t digits = strspn(value, "0123456789");
    char number[20];
    if (digits == 0 || digits >= sizeof number) {
        return false;
    }
    memcpy(number, value, digits);
    number[digits] = '\0';
    const char *suffix = value[digits] == '\0' ? "s" : value + digits;
    int64_t count;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (text_equal(suffix, units[i].suffix)) {
            return text_to_i64(number, &count, NULL) == OK && !__builtin_mul_overflow(count, units[i].ms, ms);
        }
    }
    return false;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t bytes = strcspn(value, " ");
    if (value[bytes] != '\0') {
        return false;
    }
    for (const char *at = choices; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ' ? 1 : 0;
        if (strncmp(at, value, bytes) == 0 && (at[bytes] == ' ' || at[bytes] == '\0')) {
            return true;
        }
    }
    return false;
}

enum errc config_row_set(const struct config_row *row, struct config *config, const char *value,
                         struct err *err)
{
    char *field = (char *)config + row->offset;
    int64_t number = 0;
    bool truth = false;
    bool good = *value != '\0';
    switch (row->kind) {
    case CONFIG_CHOICE:
        good = good && is_choice(row->choices, value);
        break;
    case CONFIG_INT:
        good = text_to_i64(value, &number, NULL) == OK && number >= row->least && number <= row->most;
        break;
    case CONFIG_DURATION:
        good = read_duration(value, &number) && number >= row->least && number <= row->most;
        break;
    case CONFIG_BOOL:
        truth = text_equal(value, "true") || text_equal(value, "1");
        good = truth || text_equal(value, "false") || text_equal(value, "0");
        break;
    case CONFIG_TEXT:
    case CONFIG_FILE:
        break;
    }
    if (!good && (row->kind == CONFIG_TEXT || row->kind == CONFIG_FILE)) {
        return err_set(err, ERR_CONFIG, "must not be empty");
    }
    if (!good) {
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        return err_set(err, ERR_CONFIG, "must be %s, not \"%.60s\"", expected(row, &arena), value);
    }
    if (row->kind == CONFIG_TEXT || row->kind == CONFIG_CHOICE) {
        memcpy(field, &value, sizeof value);
    } else if (row->kind == CONFIG_INT || row->kind == CONFIG_DURATION) {
        memcpy(field, &number, sizeof number);
    } else if (row->kind == CONFIG_BOOL) {
        memcpy(field, &truth, sizeof truth);
    }
    return OK;
}

void config_print_help(FILE *out)
{
    static const char *const operands[] = {
        [CONFIG_TEXT] = " TEXT", [CONFIG_CHOICE] = " WORD",       [CONFIG_INT] = " NUMBER",
        [CONFIG_BOOL] = "",      [CONFIG_DURATION] = " DURATION", [CONFIG_FILE] = " FILE",
    };
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    (void)fprintf(out, "Settings. Flags override environment variables, which override the settings file:\n");
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        const char *flag = arena_printf(&arena, "--%s%s", row->name, operands[row->kind]);
        (void)fprintf(out, "\n  %-38s %s\n      %s\n", flag, config_row_variable(row, &arena), row->help);
        bool bounded = row->kind != CONFIG_TEXT && row->kind != CONFIG_FILE;
        (void)fprintf(out, "      default %s%s%s\n", row->preset != NULL ? row->preset : "none",
                      bounded ? "; " : "", bounded ? expected(row, &arena) : "");
    }
}
