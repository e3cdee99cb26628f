// paymentsd revokeapikey: revokes a key by its id, or by its prefix if only one key has it. A running service
// looks up the key of every request, so the key's next request is refused.
#include <stdio.h>

#include "base/json_writer.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/key_print.h"
#include "cli/prompt.h"
#include "cli/startup.h"
#include "store/merchants.h"

#define MATCHES_MAX 50

struct job {
    struct command *command;
    const char *key;
    struct api_key matches[MATCHES_MAX];
    struct merchant merchants[MATCHES_MAX]; // of the match at the same index
    size_t count;
};

static enum errc find(struct db *db, struct job *job, struct err *err)
{
    struct arena *arena = &job->command->arena;
    enum errc rc = api_key_search(db, job->key, arena, job->matches, MATCHES_MAX, &job->count, err);
    for (size_t i = 0; rc == OK && i < job->count; i++) {
        rc = merchant_get(db, &job->matches[i].merchant_id, arena, &job->merchants[i], err);
    }
    if (rc == OK && job->count == 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no API key with the ID or prefix \"%.60s\"", job->key);
    }
    if (rc == OK && job->count > 1) {
        return err_set(err, ERR_EXISTS, "%zu API keys have this prefix: give the ID of one", job->count);
    }
    return rc;
}

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    enum errc rc = find(db, job, err);
    if (rc != OK) {
        return rc;
    }
    const struct access_change change = command_change(job->command, db);
    struct api_key *key = &job->matches[0];
    bool changed = false;
    rc = access_revoke_key(&change, key, &changed, err);
    if (rc == OK && !changed) {
        char since[TIME_TEXT_BYTES];
        time_format(key->revoked_us, since);
        return err_set(err, ERR_CONFLICT, "this API key was already revoked at %s", since);
    }
    return rc;
}

static void list_matches(const struct job *job)
{
    int64_t now_us = command_now_us();
    for (size_t i = 0; i < job->count; i++) {
        char id[UUID_TEXT_BYTES];
        uuid_format(&job->matches[i].id, id);
        (void)fprintf(stderr, "  %s  %s  %-8s  %s\n", id, job->matches[i].prefix,
                      api_key_state(&job->matches[i], job->merchants[i].is_active, now_us),
                      job->merchants[i].name);
    }
}

static void print(const struct job *job)
{
    const struct api_key *key = &job->matches[0];
    if (job->command->json) {
        struct json_writer answer = json_writer(&job->command->arena);
        json_open_object(&answer, NULL);
        key_write(&answer, key, &job->merchants[0], command_now_us());
        (void)puts(json_finish(&answer));
        return;
    }
    char id[UUID_TEXT_BYTES];
    uuid_format(&key->id, id);
    (void)printf("revoked %s (%s...) of \"%s\"\n", id, key->prefix, job->merchants[0].name);
}

// Scripts give the key as a flag, people as an argument.
static enum errc take_key(struct command *command, const char **key, struct err *err)
{
    if (*key != NULL && command->argument != NULL) {
        return err_set(err, ERR_VALIDATION, "the key is given twice: as %.60s and as %.60s", *key,
                       command->argument);
    }
    *key = *key != NULL ? *key : command->argument;
    if (*key == NULL) {
        return prompt_text(&command->arena, "Key to revoke (id or prefix)", NULL, key, err);
    }
    return OK;
}

int cmd_revokeapikey(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    struct job job = {.command = &command};
    const struct flag flags[] = {
        {"--key", "ID|PREFIX", &job.key, NULL, "the key to revoke, instead of the argument"},
    };
    const struct command_form form = {
        .argument = "[ID|PREFIX]", .flags = flags, .flag_count = COUNT_OF(flags), .prompts = true};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    if (job.key == NULL && command.argument == NULL && !command.ask) {
        return command_misuse("KEY is missing; usage: paymentsd revokeapikey ID|PREFIX");
    }
    struct err err;
    enum errc rc = startup_require_database(&command.config, &err);
    if (rc == OK) {
        rc = take_key(&command, &job.key, &err);
    }
    if (rc == OK) {
        rc = command_transact(&command, run, &job, &err);
    }
    if (rc != OK) {
        status = command_fail(&err);
        if (rc == ERR_EXISTS) {
            list_matches(&job);
        }
        return status;
    }
    print(&job);
    return 0;
}
