// Settings: default < file < environment (PAYMENTS_NAME) < flag (--name), all from one table in
// config_table.c, which `--help` prints.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"

// Text is in the arena that config_load got. NULL text: not set.
struct config {
    const char *listen;            // "127.0.0.1:8080", "[::1]:8080"
    const char *database;          // "sqlite:PATH" (PATH ":memory:" is refused) or "postgresql://..."
    const char *data_dir;          // holds payments.db, master.key, pepper.key
    bool data_dir_given;           // false: it is the default
    const char *master_key_file;   // 32 bytes as base64 or 64 hex digits; default DATA_DIR/master.key
    const char *pepper_file;       // same forms; default DATA_DIR/pepper.key
    const char *provider_api_base; // https://api.stripe.com; a slash at the end is left out
    const char *provider_ca_file;  // extra trust anchors for that base, for stand-ins and proxies
    int64_t provider_timeout_ms;   // one attempt, connect to last byte
    const char
        *provider_rate; // requests a second of an account, "25,100" or "off"; NULL: depends on that base
    const char *webhook_allow; // comma-separated addresses and CIDRs
    bool webhook_allow_http;
    const char *webhook_schedule;        // comma-separated seconds between attempts
    int64_t webhook_timeout_ms;          // one attempt
    int64_t webhook_in_flight_max;       // deliveries at once, all endpoints
    int64_t webhook_endpoint_max;        // deliveries at once to one merchant
    const char *proxy;                   // http://host:port, through which outgoing calls go; NULL: none
    const char *trusted_proxies;         // comma-separated addresses and CIDRs
    int64_t charge_window_ms;            // default 600000, at most 23 h
    int64_t patience_ms;                 // default 30000
    int64_t reconcile_interval_ms;       // default 5000
    int64_t events_interval_ms;          // default 60000
    int64_t answers_kept_ms;             // for repeats
    int64_t webhooks_kept_ms;            // delivered or given up
    int64_t history_kept_ms;             // of payments
    int64_t audit_counts_kept_ms;        // of authentications
    int64_t connections_max;             // default 4096
    int64_t connections_per_address_max; // default 256, once half of all are taken
    int64_t idle_timeout_ms;             // a client's silence, in whole seconds
    int64_t request_timeout_ms; // a client's request from its first byte to its last, in whole seconds
    int64_t operations_max;     // provider calls in flight
    int64_t queue_max;          // database jobs waiting
    int64_t queue_wait_ms;      // how long a key's database jobs may wait, if it goes on
    int64_t drain_timeout_ms;   // SIGTERM to exit at the latest
    const char *log_level;      // debug, info, warn, error
};

// Fills *config. argv holds flags ("--listen X" or "--listen=X") and positional words; at most rest_max of
// those go into `rest`, and *rest_count says how many. --config or PAYMENTS_CONFIG names a file of `name =
// value` lines and # comments. `environment` is environ; an empty variable counts as not set. ERR_VALIDATION
// names the setting, its source and what it may be. An unknown name in the file or as a flag is an error; an
// unknown PAYMENTS_ variable is only logged. ERR_CONFIG: there is no directory for the data.
enum errc config_load(struct config *config, struct arena *arena, int argc, char **argv, char **environment,
                      const char **rest, int rest_max, int *rest_count, struct err *err) MUST_CHECK;

// Prints the table as --help text: name, variable, help, default.
void config_print_help(FILE *out);
