// paymentsd createapikey: creates a merchant's key. Without --merchant it takes the only merchant, or creates
// `default` if there is none. That happens in one transaction, so that two commands at once create one.
#include <stdio.h>

#include "base/require.h"
#include "cli/commands.h"
#include "cli/key_print.h"
#include "cli/prompt.h"
#include "cli/select_merchant.h"
#include "cli/startup.h"
#include "cli/values.h"
#include "domain/scopes.h"

#define FIRST_MERCHANT "default"
#define MODE_DEFAULT "live"
#define EXPIRES_DEFAULT "never"

// From flags or prompts. NULL: not given.
struct given {
    const char *merchant;
    const char *scopes;
    const char *mode;
    const char *expires;
    const char *name;
};

struct job {
    struct command *command;
    const char *merchant;
    struct key_spec spec;
    struct merchant_selection selection;
    struct new_key new_key;
};

static enum errc find_merchant(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    return select_merchant(db, job->merchant, &job->command->arena, &job->selection, err);
}

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    enum errc rc = find_merchant(db, job, err);
    if (rc != OK) {
        return rc;
    }
    if (!job->selection.found && job->selection.candidate_count > 0) {
        return err_set(err, ERR_EXISTS, "%s: choose one with --merchant ID",
                       job->merchant ? "several merchants have this name" : "there are several merchants");
    }
    const struct access_change change = command_change(job->command, db);
    job->new_key.merchant = job->selection.merchant;
    if (!job->selection.found) {
        rc = access_create_merchant(&change, FIRST_MERCHANT, false, &job->new_key.merchant, err);
        job->new_key.merchant_is_new = true;
    }
    return rc == OK ? access_create_key(&change, &job->spec, &job->new_key, err) : rc;
}

static enum errc check_merchant(const char *text, void *context, struct err *err)
{
    struct job *job = context;
    job->merchant = text;
    enum errc rc = command_transact(job->command, find_merchant, job, err);
    if (rc == OK && !job->selection.found) {
        selection_print_candidates(&job->selection);
        return err_set(err, ERR_VALIDATION, "several merchants have this name: enter the ID of one");
    }
    return rc;
}

// Lists the merchants to choose from. Asks nothing if there is none yet.
static enum errc ask_merchant(struct command *command, struct job *job, const char **merchant,
                              struct err *err)
{
    enum errc rc = command_transact(command, find_merchant, job, err);
    if (rc != OK || job->selection.candidate_count == 0) {
        return rc;
    }
    const char *only = job->selection.found ? job->selection.merchant.name : NULL;
    if (only == NULL) {
        selection_print_candidates(&job->selection);
    }
    rc = prompt_checked(&command->arena, "Merchant (id or name)", only, check_merchant, job, merchant, err);
    *merchant = rc == OK && *merchant != only ? *merchant : NULL; // its name need not be unique later
    return rc;
}

static enum errc ask(struct command *command, struct job *job, struct given *given, struct err *err)
{
    struct arena *arena = &command->arena;
    enum errc rc = OK;
    if (given->merchant == NULL) {
        rc = ask_merchant(command, job, &given->merchant, err);
    } else {
        job->merchant = given->merchant;
        rc = command_transact(command, find_merchant, job, err);
    }
    if (rc == OK && given->scopes == NULL) {
        rc = prompt_checked(arena, "Scopes", SCOPES_DEFAULT, value_check_scopes, NULL, &given->scopes, err);
    }
    if (rc == OK && given->mode == NULL) {
        rc = prompt_checked(arena, "Mode (test or live)", MODE_DEFAULT, value_check_mode, NULL, &given->mode,
                            err);
    }
    if (rc == OK && given->expires == NULL) {
        rc = prompt_checked(arena, "Expires (a date, or a duration such as 90d)", EXPIRES_DEFAULT,
                            value_check_expiry, NULL, &given->expires, err);
    }
    if (rc == OK && given->name == NULL) {
        rc = prompt_checked(arena, "Name of the key", "", value_check_key_name, NULL, &given->name, err);
        given->name = rc == OK && given->name[0] != '\0' ? given->name : NULL;
    }
    return rc;
}

static enum errc read_spec(const struct given *given, struct key_spec *spec, struct err *err)
{
    *spec = (struct key_spec){.name = given->name};
    enum errc rc = scopes_parse(given->scopes ? given->scopes : SCOPES_DEFAULT, &spec->scopes, err);
    if (rc == OK) {
        rc = value_parse_mode(given->mode ? given->mode : MODE_DEFAULT, &spec->livemode, err);
    }
    if (rc == OK) {
        rc = value_parse_expiry(given->expires ? given->expires : EXPIRES_DEFAULT, command_now_us(),
                                &spec->expires_us, err);
    }
    if (rc == OK && given->name != NULL) {
        rc = value_check_name("--name", given->name, err);
    }
    return rc;
}

int cmd_createapikey(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    struct given given = {0};
    const struct flag flags[] = {
        {"--merchant", "ID|NAME", &given.merchant, NULL,
         "the key's merchant (default: the only one; if there is none, \"" FIRST_MERCHANT "\" is created)"},
        {"--scopes", "LIST", &given.scopes, NULL, "what the key may do (default: " SCOPES_DEFAULT ")"},
        {"--mode", "test|live", &given.mode, NULL,
         "whether the key is for test or live payments (default: " MODE_DEFAULT ")"},
        {"--expires", "TIME", &given.expires, NULL,
         "when the key expires: a time, or a duration such as 90d or 12h (default: " EXPIRES_DEFAULT ")"},
        {"--name", "NAME", &given.name, NULL, "a name to recognise the key by"},
    };
    const struct command_form form = {.flags = flags, .flag_count = COUNT_OF(flags), .prompts = true};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    struct job job = {.command = &command};
    enum errc rc = startup_require_database(&command.config, &err);
    if (rc == OK) {
        rc = read_spec(&given, &job.spec, &err); // a wrong flag before any question
    }
    if (rc == OK && command.ask) {
        rc = ask(&command, &job, &given, &err);
    }
    if (rc == OK) {
        rc = read_spec(&given, &job.spec, &err);
    }
    job.merchant = given.merchant;
    if (rc == OK) {
        rc = command_transact(&command, run, &job, &err);
    }
    status = rc == OK ? new_key_print(&command, &job.new_key) : selection_fail(&job.selection, &err);
    new_key_wipe(&job.new_key);
    return status;
}
