// paymentsd check-config: checks everything that a start with these settings needs, and changes nothing: it
// creates no file and accepts no connection.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/require.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/startup.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "store/copy_mark.h"
#include "store/meta.h"
#include "store/migrate.h"
#include "store/store.h"

// Cuts off the last part of a path: "/a/b" to "/a", "/a" to "/", "a" to ".".
static void cut_last_part(char path[PATH_MAX])
{
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        (void)snprintf(path, PATH_MAX, ".");
    } else {
        slash[slash == path] = '\0';
    }
}

// Checks that the file could be created in its directory. If `makes_parents`, a start creates missing
// directories.
static enum errc check_creatable(const char *file, bool makes_parents, struct err *err)
{
    char path[PATH_MAX];
    struct stat status;
    if (snprintf(path, sizeof path, "%s", file) >= (int)sizeof path) {
        return err_set(err, ERR_CONFIG, "the file's name is too long: %.80s...", file);
    }
    cut_last_part(path);
    while (makes_parents && stat(path, &status) != 0 && errno == ENOENT && strcmp(path, ".") != 0) {
        cut_last_part(path);
    }
    if (stat(path, &status) != 0) {
        return err_set(err, ERR_CONFIG, "directory %s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
        return err_set(err, ERR_CONFIG, "directory %s: %s", path, strerror(ENOTDIR));
    }
    return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0
               ? OK
               : err_set(err, ERR_CONFIG, "directory %s: %s", path, strerror(errno));
}

// A first start creates the data directory and the missing keys. Existing keys must be valid.
static enum errc check_first_start(struct command *command, struct err *err)
{
    const struct config *config = &command->config;
    const char *file = store_file(config->database);
    const char *in_data_dir = arena_printf(&command->arena, "%s/", config->data_dir);
    enum errc rc = startup_refuse_forgotten_database(config, err);
    if (rc == OK) {
        rc = check_creatable(in_data_dir, true, err);
    }
    if (rc == OK && file != NULL) {
        rc = check_creatable(file, text_starts_with(file, in_data_dir), err);
    }
    const char *const keys[] = {config->master_key_file, config->pepper_file};
    for (size_t i = 0; rc == OK && i < COUNT_OF(keys); i++) {
        bool missing = access(keys[i], F_OK) != 0 && errno == ENOENT;
        rc = missing ? check_creatable(keys[i], true, err) : OK;
    }
    return rc == OK ? keyring_check(config->master_key_file, config->pepper_file, err) : rc;
}

static enum errc check_schema_and_keys(struct db *db, void *context, struct err *err)
{
    const struct command *command = context;
    const struct keyring *keyring = &command->keyring;
    int64_t version = 0;
    enum errc rc = migrate_look(db, &version, err);
    if (rc != OK || version == 0) { // the first start was interrupted
        return rc;
    }
    rc = copy_mark_refuse(db, err);
    if (rc != OK) {
        return rc;
    }
    rc = meta_compare_keys(db, keyring->master.id, keyring->pepper_id, err);
    if (rc == ERR_CONFIG) {
        startup_explain_rotation(&command->config, err);
    }
    return rc;
}

static enum errc check_database(struct command *command, struct err *err)
{
    const struct config *config = &command->config;
    const char *file = store_file(config->database);
    enum errc rc = startup_load_keys(config, &command->keyring, err);
    if (rc == OK && file != NULL) {
        rc = check_creatable(file, false, err);
    }
    if (rc == OK && file != NULL && faccessat(AT_FDCWD, file, R_OK | W_OK, AT_EACCESS) != 0) {
        rc = err_set(err, ERR_CONFIG, "cannot use the database %s: %s", file, strerror(errno));
    }
    return rc == OK ? store_look_once(config->database, check_schema_and_keys, command, err) : rc;
}

static enum errc check(struct command *command, struct err *err)
{
    const struct config *config = &command->config;
    struct tls_context *context = NULL;
    bool there = false;
    enum errc rc = tls_context_open(config->provider_ca_file, &context, err);
    tls_context_free(context);
    if (rc == OK) {
        rc = store_exists(config->database, &there, err);
    }
    if (rc == OK) {
        rc = there ? check_database(command, err) : check_first_start(command, err);
    }
    if (rc == OK) {
        rc = http_server_try_listen(config->listen, err);
        if (rc == ERR_EXISTS && store_check_unserved(config->database, NULL) != OK) {
            rc = OK; // the port is in use by the service itself
        }
    }
    return rc;
}

int cmd_check_config(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const struct command_form form = {0};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    if (check(&command, &err) != OK) {
        return command_fail(&err);
    }
    (void)puts(command.json ? "{\"ok\":true}" : "the settings are valid; the service can start with them");
    return 0;
}
