// paymentsd createsuperadmin: creates an admin, and a key with every scope.
#include <stdio.h>

#include "base/require.h"
#include "cli/commands.h"
#include "cli/key_print.h"
#include "cli/prompt.h"
#include "cli/startup.h"
#include "cli/values.h"
#include "domain/scopes.h"

struct job {
    struct command *command;
    const char *name;
    struct key_spec spec;
    struct new_key new_key;
};

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    const struct access_change change = command_change(job->command, db);
    enum errc rc = access_create_merchant(&change, job->name, true, &job->new_key.merchant, err);
    job->new_key.merchant_is_new = true;
    return rc == OK ? access_create_key(&change, &job->spec, &job->new_key, err) : rc;
}

// For a value that no flag gave: prompts for it, or takes the default.
static enum errc ask_or_default(struct command *command, const char *question, const char *fallback,
                                enum errc (*check)(const char *text, void *unused, struct err *err),
                                const char **value, struct err *err)
{
    if (*value == NULL && command->ask) {
        return prompt_checked(&command->arena, question, fallback, check, NULL, value, err);
    }
    *value = *value != NULL ? *value : fallback;
    return OK;
}

// A wrong flag is refused before the first prompt.
static enum errc check_given(const char *name, const char *mode, const char *expires, struct err *err)
{
    enum errc rc = name == NULL ? OK : value_check_name("--name", name, err);
    if (rc == OK && mode != NULL) {
        rc = value_check_mode(mode, NULL, err);
    }
    return rc == OK && expires != NULL ? value_check_expiry(expires, NULL, err) : rc;
}

int cmd_createsuperadmin(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const char *name = NULL;
    const char *mode = NULL;
    const char *expires = NULL;
    const struct flag flags[] = {
        {"--name", "NAME", &name, NULL, "the admin's name (default: superadmin)"},
        {"--mode", "test|live", &mode, NULL, "whether its key is for test or live payments (default: live)"},
        {"--expires", "TIME", &expires, NULL,
         "when its key expires: a time, or a duration such as 90d or 12h (default: never)"},
    };
    const struct command_form form = {.flags = flags, .flag_count = COUNT_OF(flags), .prompts = true};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    struct job job = {.command = &command, .spec = {.scopes = SCOPE_ALL}};
    enum errc rc = startup_require_database(&command.config, &err);
    if (rc == OK) {
        rc = check_given(name, mode, expires, &err);
    }
    if (rc == OK) {
        rc = ask_or_default(&command, "Name of the admin", "superadmin", value_check_key_name, &name, &err);
    }
    if (rc == OK) {
        rc = ask_or_default(&command, "Mode (test or live)", "live", value_check_mode, &mode, &err);
    }
    if (rc == OK) {
        rc = ask_or_default(&command, "Expires (a date, or a duration such as 90d)", "never",
                            value_check_expiry, &expires, &err);
    }
    if (rc == OK) {
        rc = value_check_name("--name", name, &err);
    }
    if (rc == OK) {
        rc = value_parse_mode(mode, &job.spec.livemode, &err);
    }
    if (rc == OK) {
        rc = value_parse_expiry(expires, command_now_us(), &job.spec.expires_us, &err);
    }
    job.name = name;
    if (rc == OK) {
        rc = command_transact(&command, run, &job, &err);
    }
    status = rc == OK ? new_key_print(&command, &job.new_key) : command_fail(&err);
    new_key_wipe(&job.new_key);
    return status;
}
