// Invariant: keys are created before the database that needs them, never after. Runs before threads start.
#include "cli/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "domain/pace.h"
#include "domain/retry.h"
#include "net/address.h"
#include "net/http_server.h"
#include "net/url.h"
#include "store/store.h"

#define FORMER_DATABASE "sqlite:./data/payments.db"

enum errc startup_require_database(const struct config *config, struct err *err)
{
    bool has = false;
    const enum errc rc = store_exists(config->database, &has, err);
    if (rc != OK || has) {
        return rc;
    }
    const char *file = store_file(config->database);
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    return file != NULL
               ? err_set(err, ERR_CONFIG,
                         "there is no database %s: start the service first, or set its data directory with "
                         "PAYMENTS_DATA_DIR or --data-dir",
                         file)
               : err_set(err, ERR_CONFIG, "the database %s is empty: start the service first",
                         store_name(config->database, &arena));
}

// Earlier versions kept the data in the working directory by default. If such a database exists, a new one
// would be started by mistake, and would not know what was charged.
enum errc startup_refuse_forgotten_database(const struct config *config, struct err *err)
{
    bool forgotten = false;
    if (!config->data_dir_given && store_exists(FORMER_DATABASE, &forgotten, NULL) == OK && forgotten) {
        return err_set(err, ERR_CONFIG,
                       "there is a database in ./data, but none in the default directory %s: move its files "
                       "there, or set PAYMENTS_DATA_DIR",
                       config->data_dir);
    }
    return OK;
}

enum errc startup_load_keys(const struct config *config, struct keyring *keyring, struct err *err)
{
    bool there = false;
    enum errc rc = store_exists(config->database, &there, err);
    if (rc == OK && !there) {
        rc = startup_refuse_forgotten_database(config, err);
    }
    if (rc == OK && !there) {
        rc = file_make_directory(config->data_dir, err);
    }
    if (rc != OK) {
        return rc;
    }
    const bool first_start = !there;
    rc = keyring_load(keyring, config->master_key_file, config->pepper_file, first_start, err);
    bool lost = access(config->master_key_file, F_OK) != 0 || access(config->pepper_file, F_OK) != 0;
    if (rc != OK && !first_start && lost) {
        char message[ERR_MESSAGE_MAX];
        memcpy(message, err->message, sizeof message);
        return err_set(err, rc, "%s: %s the one that the database was created with", message,
                       store_file(config->database) != NULL ? "restore" : "copy");
    }
    return rc;
}

const char *startup_next_master_key_file(const struct config *config, struct arena *arena)
{
    return arena_printf(arena, "%s.new", config->master_key_file);
}

void startup_explain_rotation(const struct config *config, struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    if (access(startup_next_master_key_file(config, &arena), F_OK) == 0) {
        const char *message = arena_strdup(&arena, err->message);
        (void)err_set(err, err->code,
                      "%s; if a key rotation was interrupted, finish it with paymentsd rotate-master-key",
                      message);
    }
}

enum errc startup_check_settings(const struct config *config, struct arena *arena, struct err *err)
{
    struct network_list networks;
    struct retry_schedule schedule;
    struct pace_rates rates;
    struct url url;
    struct err why;
    // A database in memory would be lost with the process.
    const char *file = store_file(config->database);
    if (!store_knows(config->database) || (file != NULL && (*file == '\0' || text_equal(file, ":memory:")))) {
        return err_set(err, ERR_VALIDATION,
                       "database: must be sqlite:PATH, where PATH is a file, or postgresql://USER@HOST/NAME");
    }
    if (http_server_check_address(config->listen, &why) != OK) {
        return err_set(err, ERR_VALIDATION, "listen: %.200s", why.message);
    }
    if (network_list_parse(config->webhook_allow, arena, &networks, &why) != OK) {
        return err_set(err, ERR_VALIDATION, "webhook-allow: %.200s", why.message);
    }
    if (network_list_parse(config->trusted_proxies, arena, &networks, &why) != OK) {
        return err_set(err, ERR_VALIDATION, "trusted-proxies: %.200s", why.message);
    }
    if (retry_schedule_parse(config->webhook_schedule, &schedule, &why) != OK) {
        return err_set(err, ERR_VALIDATION, "webhook-schedule: %.200s", why.message);
    }
    if (url_parse(config->provider_api_base, arena, &url, &why) != OK) {
        return err_set(err, ERR_VALIDATION, "stripe-api-base: %.200s", why.message);
    }
    if (config->proxy != NULL && proxy_parse(config->proxy, arena, &url, &why) != OK) {
        return err_set(err, ERR_VALIDATION, "proxy: %.200s", why.message);
    }
    if (config->provider_rate != NULL && pace_rates_parse(config->provider_rate, &rates, &why) != OK) {
        return err_set(err, ERR_VALIDATION, "stripe-rate: %.200s", why.message);
    }
    if (config->provider_ca_file != NULL && access(config->provider_ca_file, R_OK) != 0) {
        return err_set(err, ERR_VALIDATION, "stripe-ca-file: cannot read %.200s", config->provider_ca_file);
    }
    return OK;
}
