// paymentsd updatemerchant: renames a merchant, or deactivates or activates all of its keys at once. Work
// under way continues: payments are recovered, provider events are applied, and webhooks are delivered.
#include <stdio.h>

#include "base/json_writer.h"
#include "base/require.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/prompt.h"
#include "cli/select_merchant.h"
#include "cli/startup.h"
#include "cli/values.h"

struct job {
    struct command *command;
    const char *merchant;
    struct merchant_selection selection;
    struct merchant_update update;
    bool active; // if it changes
};

static enum errc find_merchant(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    return select_named_merchant(db, job->merchant, &job->command->arena, &job->selection, err);
}

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    enum errc rc = find_merchant(db, job, err);
    if (rc != OK) {
        return rc;
    }
    const struct access_change change = command_change(job->command, db);
    struct merchant *merchant = &job->selection.merchant;
    bool changed = false;
    rc = access_update_merchant(&change, &merchant->id, &job->update, merchant, &changed, err);
    if (rc == OK && !changed) {
        return err_set(err, ERR_CONFLICT, "this merchant is already %s",
                       merchant->is_active ? "active" : "inactive");
    }
    return rc;
}

static enum errc check_merchant(const char *text, void *context, struct err *err)
{
    struct job *job = context;
    job->merchant = text;
    return command_transact(job->command, find_merchant, job, err);
}

static enum errc read_arguments(struct job *job, const char *active, struct err *err)
{
    struct arena *arena = &job->command->arena;
    const char *name = job->update.name;
    enum errc rc = active != NULL ? value_check_active(active, NULL, err) : OK;
    if (rc == OK && name != NULL) {
        rc = value_check_merchant_name(name, NULL, err);
    }
    if (rc == OK && job->merchant == NULL) {
        rc = prompt_checked(arena, "Merchant (id or name)", NULL, check_merchant, job, &job->merchant, err);
    }
    if (rc == OK && active == NULL && name == NULL) {
        rc = prompt_checked(arena, "Active (true or false)", NULL, value_check_active, NULL, &active, err);
    }
    if (rc != OK || active == NULL) {
        return rc;
    }
    job->update.is_active = &job->active;
    return value_parse_active(active, &job->active, err);
}

static void print(const struct job *job)
{
    const struct merchant *merchant = &job->selection.merchant;
    char id[UUID_TEXT_BYTES];
    uuid_format(&merchant->id, id);
    if (!job->command->json) {
        (void)printf("merchant \"%s\" is %s\nid  %s\n", merchant->name,
                     merchant->is_active ? "active" : "inactive", id);
        return;
    }
    struct json_writer answer = json_writer(&job->command->arena);
    json_open_object(&answer, NULL);
    json_write_str(&answer, "id", id);
    json_write_str(&answer, "name", merchant->name);
    json_write_bool(&answer, "is_active", merchant->is_active);
    (void)puts(json_finish(&answer));
}

int cmd_updatemerchant(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    struct job job = {.command = &command};
    const char *active = NULL;
    const struct flag flags[] = {
        {"--merchant", "ID|NAME", &job.merchant, NULL, "the merchant or admin to change"},
        {"--active", "true|false", &active, NULL, "whether its API keys work"},
        {"--name", "NAME", &job.update.name, NULL, "its new name, which must be unique"},
    };
    const struct command_form form = {.flags = flags, .flag_count = COUNT_OF(flags), .prompts = true};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    const bool changes = active != NULL || job.update.name != NULL;
    if ((job.merchant == NULL || !changes) && !command.ask) {
        return command_misuse("%s is missing; usage: paymentsd updatemerchant --merchant ID|NAME [--active "
                              "true|false] [--name NAME]",
                              job.merchant == NULL ? "--merchant" : "--active or --name");
    }
    struct err err;
    enum errc rc = startup_require_database(&command.config, &err);
    if (rc == OK) {
        rc = read_arguments(&job, active, &err);
    }
    if (rc == OK) {
        rc = command_transact(&command, run, &job, &err);
    }
    if (rc != OK) {
        return selection_fail(&job.selection, &err);
    }
    print(&job);
    return 0;
}
