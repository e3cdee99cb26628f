// paymentsd createmerchant: creates a merchant, without keys.
#include <stdio.h>

#include "base/json_writer.h"
#include "base/require.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/prompt.h"
#include "cli/startup.h"
#include "cli/values.h"

struct job {
    struct command *command;
    const char *name;
    struct merchant merchant;
};

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    const struct access_change change = command_change(job->command, db);
    return access_create_merchant(&change, job->name, false, &job->merchant, err);
}

static void print(struct command *command, const struct merchant *merchant)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&merchant->id, id);
    if (!command->json) {
        (void)printf("merchant \"%s\"\nid  %s\n", merchant->name, id);
        return;
    }
    struct json_writer answer = json_writer(&command->arena);
    json_open_object(&answer, NULL);
    json_write_str(&answer, "id", id);
    json_write_str(&answer, "name", merchant->name);
    (void)puts(json_finish(&answer));
}

int cmd_createmerchant(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const char *name = NULL;
    const struct flag flags[] = {
        {"--name", "NAME", &name, NULL, "the merchant's name, which must be unique"}};
    const struct command_form form = {.flags = flags, .flag_count = COUNT_OF(flags), .prompts = true};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    if (name == NULL && !command.ask) {
        return command_misuse("--name is missing; usage: paymentsd createmerchant --name NAME");
    }
    struct err err;
    enum errc rc = startup_require_database(&command.config, &err);
    if (rc == OK && name == NULL) {
        rc = prompt_checked(&command.arena, "Name of the merchant", NULL, value_check_merchant_name, NULL,
                            &name, &err);
    }
    if (rc == OK) {
        rc = value_check_merchant_name(name, NULL, &err);
    }
    struct job job = {.command = &command, .name = name};
    if (rc == OK) {
        rc = command_transact(&command, run, &job, &err);
    }
    if (rc != OK) {
        return command_fail(&err);
    }
    print(&command, &job.merchant);
    return 0;
}
