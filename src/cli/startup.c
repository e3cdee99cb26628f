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

#define SQLITE_PREFIX "sqlite:"
#define FORMER_DATA_DIR "./data"

const char *startup_database_file(const struct config *config)
{
    return text_starts_with(config->database, SQLITE_PREFIX) ? config->database + strlen(SQLITE_PREFIX)
                                                             : NULL;
}

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0) {
        (void)close(*descriptor);
    }
}

// Whether the file is a database already. An empty one is not.
static enum errc holds_database(const char *path, bool *holds, struct err *err)
{
    static const char magic[16] = "SQLite format 3"; // its NUL is the 16th byte
    char start[sizeof magic];
    __attribute__((cleanup(close_descriptor))) int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *holds = false;
    if (descriptor < 0 && errno == ENOENT) {
        return OK;
    }
    ssize_t bytes = descriptor < 0 ? -1 : read(descriptor, start, sizeof start);
    if (bytes < 0) {
        return err_set(err, ERR_CONFIG, "cannot read the database %s: %s", path, strerror(errno));
    }
    *holds = bytes == (ssize_t)sizeof start && memcmp(start, magic, sizeof magic) == 0;
    return *holds || bytes == 0
               ? OK
               : err_set(err, ERR_CONFIG, "cannot use the database %s: it is not a SQLite database", path);
}

enum errc startup_has_database(const struct config *config, bool *has, struct err *err)
{
    const char *file = startup_database_file(config);
    *has = true;
    return file == NULL ? OK : holds_database(file, has, err);
}

enum errc startup_require_database(const struct config *config, struct err *err)
{
    bool has = false;
    enum errc rc = startup_has_database(config, &has, err);
    return rc != OK || has
               ? rc
               : err_set(err, ERR_CONFIG,
                         "there is no database %s: start the service first, or set its data directory with "
                         "PAYMENTS_DATA_DIR or --data-dir",
                         startup_database_file(config));
}

// Earlier versions kept the data in the working directory by default. If such a database exists, a new one
// would be started by mistake, and would not know what was charged.
enum errc startup_refuse_forgotten_database(const struct config *config, struct err *err)
{
    bool forgotten = false;
    if (!config->data_dir_given && holds_database(FORMER_DATA_DIR "/payments.db", &forgotten, NULL) == OK &&
        forgotten) {
        return err_set(err, ERR_CONFIG,
                       "there is a database in " FORMER_DATA_DIR
                       ", but none in the default directory %s: move its files there, or set "
                       "PAYMENTS_DATA_DIR",
                       config->data_dir);
    }
    return OK;
}

enum errc startup_load_keys(const struct config *config, struct keyring *keyring, struct err *err)
{
    const char *file = startup_database_file(config);
    bool there = false;
    enum errc rc = startup_has_database(config, &there, err);
    if (rc == OK && !there) {
        rc = startup_refuse_forgotten_database(config, err);
    }
    if (rc == OK && !there) {
        rc = file_make_directory(config->data_dir, err);
    }
    if (rc != OK) {
        return rc;
    }
    bool first_start = !there || (file == NULL && access(config->master_key_file, F_OK) != 0);
    rc = keyring_load(keyring, config->master_key_file, config->pepper_file, first_start, err);
    bool lost = access(config->master_key_file, F_OK) != 0 || access(config->pepper_file, F_OK) != 0;
    if (rc != OK && file != NULL && !first_start && lost) {
        char message[ERR_MESSAGE_MAX];
        memcpy(message, err->message, sizeof message);
        return err_set(err, rc, "%s: restore the one that the database was created with", message);
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
    const char *file = startup_database_file(config);
    // A database in memory would be lost with the process.
    bool server = text_starts_with(config->database, "postgresql:");
    if (!server && (file == NULL || *file == '\0' || text_equal(file, ":memory:"))) {
        return err_set(err, ERR_VALIDATION, "database: must be sqlite:PATH, where PATH is a file");
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
