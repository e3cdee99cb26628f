// paymentsd backup FILE: copies the database to a new file. The copy leaves out the keys on purpose, so that
// nobody who finds a backup can read a credential in it.
#include <stdio.h>

#include "base/json_writer.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/prompt.h"
#include "cli/startup.h"
#include "store/store.h"

static void print(struct command *command)
{
    if (!command->json) {
        (void)printf("copied the database to %s\n"
                     "The copy is useless without the keys. Keep %s and %s too, in a different place.\n",
                     command->argument, command->config.master_key_file, command->config.pepper_file);
        return;
    }
    struct json_writer answer = json_writer(&command->arena);
    json_open_object(&answer, NULL);
    json_write_str(&answer, "file", command->argument);
    json_write_str(&answer, "master_key_file", command->config.master_key_file);
    json_write_str(&answer, "pepper_file", command->config.pepper_file);
    (void)puts(json_finish(&answer));
}

int cmd_backup(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const struct command_form form = {.argument = "FILE", .prompts = true};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    if (command.argument == NULL && !command.ask) {
        return command_misuse("FILE is missing; usage: paymentsd backup FILE");
    }
    struct err err;
    enum errc rc = startup_require_database(&command.config, &err);
    if (rc == OK && command.argument == NULL) {
        rc = prompt_text(&command.arena, "Backup file", NULL, &command.argument, &err);
    }
    if (rc == OK) {
        rc = store_backup(command.config.database, command.argument, &err);
    }
    if (rc != OK) {
        return command_fail(&err);
    }
    print(&command);
    return 0;
}
