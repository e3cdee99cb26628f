// paymentsd migrate: creates the database or upgrades its schema, while no service runs.
#include <stdio.h>

#include "cli/command.h"
#include "cli/commands.h"

int cmd_migrate(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const struct command_form form = {.creates_database = true};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    if (command_transact(&command, NULL, NULL, &err) != OK) {
        return command_fail(&err);
    }
    (void)puts(command.json ? "{\"ok\":true}" : "the database is up to date");
    return 0;
}
