// paymentsd createapikey: a merchant's key. Without a merchant it takes the only one, or makes `default`
// where there is none yet, in the same transaction, so that two that are run at once do not make two.
#include <stdio.h>

#include "base/require.h"
#include "cli/choose.h"
#include "cli/commands.h"
#include "cli/issue.h"
#include "cli/prompt.h"
#include "cli/startup.h"
#include "cli/values.h"
#include "domain/scopes.h"

#define FIRST_MERCHANT "default"
#define MODE_DEFAULT "live"
#define EXPIRES_DEFAULT "never"

// As given or asked for; NULL: neither.
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
    struct key_wish wish;
    struct choice choice;
    struct issued_key issued;
};

static enum errc look(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    return choose_merchant(db, job->merchant, &job->command->arena, &job->choice, err);
}

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    enum errc e = look(db, job, err);
    if (e != OK) {
        return e;
    }
    if (!job->choice.found && job->choice.candidate_count > 0) {
        return err_set(err, ERR_EXISTS, "%s: say which with --merchant ID",
                       job->merchant ? "several merchants have this name" : "there are several merchants");
    }
    job->issued.merchant = job->choice.merchant;
    if (!job->choice.found) {
        e = issue_merchant(db, &job->command->keyring, FIRST_MERCHANT, false, &job->issued.merchant, err);
        job->issued.merchant_is_new = true;
    }
    return e != OK
               ? e
               : issue_key(db, &job->command->keyring, &job->command->arena, &job->wish, &job->issued, err);
}

static enum errc check_merchant(const char *text, void *context, struct err *err)
{
    struct job *job = context;
    job->merchant = text;
    enum errc e = command_transact(job->command, look, job, err);
    if (e == OK && !job->choice.found) {
        choice_list(&job->choice);
        return err_set(err, ERR_VALIDATION, "several merchants have this name: give the id of one");
    }
    return e;
}

// The question about the merchant needs to know which there are; with none yet, there is nothing to ask.
static enum errc ask_merchant(struct command *command, struct job *job, const char **merchant,
                              struct err *err)
{
    enum errc e = command_transact(command, look, job, err);
    if (e != OK || job->choice.candidate_count == 0) {
        return e;
    }
    const char *only = job->choice.found ? job->choice.merchant.name : NULL;
    if (only == NULL) {
        choice_list(&job->choice);
    }
    e = prompt_checked(&command->arena, "Merchant (id or name)", only, check_merchant, job, merchant, err);
    *merchant = e == OK && *merchant != only ? *merchant : NULL; // its name need not be unique later
    return e;
}

static enum errc ask(struct command *command, struct job *job, struct given *given, struct err *err)
{
    struct arena *arena = &command->arena;
    enum errc e = OK;
    if (given->merchant == NULL) {
        e = ask_merchant(command, job, &given->merchant, err);
    } else {
        job->merchant = given->merchant;
        e = command_transact(command, look, job, err);
    }
    if (e == OK && given->scopes == NULL) {
        e = prompt_checked(arena, "Scopes", SCOPES_DEFAULT, value_check_scopes, NULL, &given->scopes, err);
    }
    if (e == OK && given->mode == NULL) {
        e = prompt_checked(arena, "Mode (test or live)", MODE_DEFAULT, value_check_mode, NULL, &given->mode,
                           err);
    }
    if (e == OK && given->expires == NULL) {
        e = prompt_checked(arena, "Expires (a date, or a duration such as 90d)", EXPIRES_DEFAULT,
                           value_check_expiry, NULL, &given->expires, err);
    }
    if (e == OK && given->name == NULL) {
        e = prompt_checked(arena, "Name of the key", "", value_check_key_name, NULL, &given->name, err);
        given->name = e == OK && given->name[0] != '\0' ? given->name : NULL;
    }
    return e;
}

static enum errc read_wish(const struct given *given, struct key_wish *wish, struct err *err)
{
    *wish = (struct key_wish){.name = given->name};
    enum errc e = scopes_parse(given->scopes ? given->scopes : SCOPES_DEFAULT, &wish->scopes, err);
    if (e == OK) {
        e = value_parse_mode(given->mode ? given->mode : MODE_DEFAULT, &wish->livemode, err);
    }
    if (e == OK) {
        e = value_parse_expiry(given->expires ? given->expires : EXPIRES_DEFAULT, command_now_us(),
                               &wish->expires_us, err);
    }
    if (e == OK && given->name != NULL) {
        e = value_check_name("--name", given->name, err);
    }
    return e;
}

int cmd_createapikey(int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    struct given given = {0};
    const struct flag flags[] = {
        {"--merchant", "ID|NAME", &given.merchant, NULL,
         "whose key (the only merchant; \"" FIRST_MERCHANT "\" is made where there is none)"},
        {"--scopes", "LIST", &given.scopes, NULL, "what it may do (" SCOPES_DEFAULT ")"},
        {"--mode", "test|live", &given.mode, NULL, "which payments it sees and makes (" MODE_DEFAULT ")"},
        {"--expires", "TIME", &given.expires, NULL,
         "a time, or a duration such as 90d or 12h (" EXPIRES_DEFAULT ")"},
        {"--name", "NAME", &given.name, NULL, "what people call it"},
    };
    const struct command_form form = {"createapikey", NULL, flags, COUNT_OF(flags)};
    int status;
    if (!command_begin(&command, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    struct job job = {.command = &command};
    enum errc e = startup_need_database(&command.config, &err);
    if (e == OK) {
        e = read_wish(&given, &job.wish, &err); // a wrong flag before any question
    }
    if (e == OK && command.ask) {
        e = ask(&command, &job, &given, &err);
    }
    if (e == OK) {
        e = read_wish(&given, &job.wish, &err);
    }
    job.merchant = given.merchant;
    if (e == OK) {
        e = command_transact(&command, run, &job, &err);
    }
    if (e == OK) {
        status = issue_print(&command, &job.issued);
    } else {
        status = command_fail(&err);
        if (e == ERR_EXISTS) {
            choice_list(&job.choice);
        }
    }
    issued_key_wipe(&job.issued);
    return status;
}
