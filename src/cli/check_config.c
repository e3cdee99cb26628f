// paymentsd check-config: whether a service with these settings would start, without starting or making
// anything.
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/startup.h"
#include "net/address.h"
#include "net/url.h"

// Settings that are texts to config.c and mean something to other layers.
static enum errc check_texts(struct command *command, struct err *err)
{
    struct arena *arena = &command->arena;
    const struct config *config = &command->config;
    struct network_list networks;
    struct url url;
    struct err why;
    if (network_list_parse(config->webhook_allow, arena, &networks, &why) != OK) {
        return err_set(err, ERR_CONFIG, "webhook-allow: %.200s", why.message);
    }
    if (network_list_parse(config->trusted_proxies, arena, &networks, &why) != OK) {
        return err_set(err, ERR_CONFIG, "trusted-proxies: %.200s", why.message);
    }
    if (url_parse(config->stripe_api_base, arena, &url, &why) != OK) {
        return err_set(err, ERR_CONFIG, "stripe-api-base: %.200s", why.message);
    }
    if (config->stripe_ca_file != NULL && access(config->stripe_ca_file, R_OK) != 0) {
        return err_set(err, ERR_CONFIG, "stripe-ca-file: cannot read %.200s", config->stripe_ca_file);
    }
    return OK;
}

// Key files that are there must be sound; with SQLite, missing ones are made at the first start.
static enum errc check_keys(struct command *command, struct err *err)
{
    const struct config *config = &command->config;
    bool missing = access(config->master_key_file, F_OK) != 0 || access(config->pepper_file, F_OK) != 0;
    if (missing && command_need_database(command, NULL) != OK) {
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
    if (check_texts(&command, &err) != OK || check_keys(&command, &err) != OK) {
        return command_fail(&err);
    }
    (void)puts(command.json ? "{\"ok\":true}" : "the settings are sound");
    return 0;
}
