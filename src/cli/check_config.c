// paymentsd check-config: whether a service with these settings would start, without starting or making
// anything.
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/startup.h"

// Key files that are there must be sound; with SQLite, missing ones are made at the first start.
static enum errc check_keys(struct command *command, struct err *err)
{
    const struct config *config = &command->config;
    bool missing = access(config->master_key_file, F_OK) != 0 || access(config->pepper_file, F_OK) != 0;
    if (missing && startup_need_database(config, NULL) != OK) {
        return OK;
    }
    return keyring_load(&command->keyring, config->master_key_file, config->pepper_file, false, err);
}

int cmd_check_config(int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const struct command_form form = {.name = "check-config"};
    int status;
    if (!command_begin(&command, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    if (startup_check_settings(&command.config, &command.arena, &err) != OK ||
        check_keys(&command, &err) != OK) {
        return command_fail(&err);
    }
    (void)puts(command.json ? "{\"ok\":true}" : "the settings are sound");
    return 0;
}
