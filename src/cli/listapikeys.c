// paymentsd listapikeys: all keys, or one merchant's, newest first.
#include <json-c/json.h>
#include <stdio.h>

#include "base/json.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "cli/choose.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/keys_shown.h"
#include "domain/scopes.h"

#define KEYS_MAX 10000 // listed at once; more than that is for a merchant at a time

struct job {
    struct command *command;
    const char *merchant; // NULL: all
    struct choice choice;
    struct api_key *keys;
    const char **merchant_names; // of the same keys
    size_t count;
};

// Keys of one merchant mostly stand together, so the name before is the name of many.
static enum errc name_merchants(struct db *db, struct job *job, struct err *err)
{
    struct arena *arena = &job->command->arena;
    job->merchant_names = arena_alloc(arena, job->count * sizeof *job->merchant_names);
    for (size_t i = 0; i < job->count; i++) {
        if (i > 0 && uuid_equal(&job->keys[i].merchant_id, &job->keys[i - 1].merchant_id)) {
            job->merchant_names[i] = job->merchant_names[i - 1];
            continue;
        }
        struct merchant merchant;
        enum errc e = merchant_get(db, &job->keys[i].merchant_id, arena, &merchant, err);
        if (e != OK) {
            return e;
        }
        job->merchant_names[i] = merchant.name;
    }
    return OK;
}

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    struct arena *arena = &job->command->arena;
    enum errc e = job->merchant == NULL ? OK : choose_merchant(db, job->merchant, arena, &job->choice, err);
    if (e != OK) {
        return e;
    }
    if (job->merchant != NULL && !job->choice.found) {
        return err_set(err, ERR_EXISTS, "several merchants have this name: say which with --merchant ID");
    }
    job->keys = arena_alloc(arena, KEYS_MAX * sizeof *job->keys);
    e = api_key_list(db, &job->choice.merchant.id, arena, job->keys, KEYS_MAX, &job->count, err);
    return e != OK ? e : name_merchants(db, job, err);
}

static void print_json(const struct job *job)
{
    JSON_CLEANUP struct json_object *list = json_object_new_array();
    int64_t now_us = command_now_us();
    for (size_t i = 0; i < job->count; i++) {
        (void)json_object_array_add(list, key_json(&job->keys[i], job->merchant_names[i], now_us));
    }
    (void)puts(json_text(&job->command->arena, list));
}

static void print_text(const struct job *job)
{
    int64_t now_us = command_now_us();
    (void)printf("%-36s  %-12s  %-7s  %-27s  %-20s  %s\n", "ID", "PREFIX", "STATE", "EXPIRES", "MERCHANT",
                 "SCOPES");
    for (size_t i = 0; i < job->count; i++) {
        const struct api_key *key = &job->keys[i];
        char id[UUID_TEXT_BYTES];
        char expires[TIME_TEXT_BYTES] = "never";
        uuid_format(&key->id, id);
        if (key->expires_us != 0) {
            time_format(key->expires_us, expires);
        }
        (void)printf("%-36s  %-12s  %-7s  %-27s  %-20s  %s%s%s\n", id, key->prefix, key_state(key, now_us),
                     expires, job->merchant_names[i], scopes_format(&job->command->arena, key->scopes),
                     key->name ? "  # " : "", key->name ? key->name : "");
    }
    if (job->count == KEYS_MAX) {
        (void)fprintf(stderr, "only the newest %d are listed: --merchant lists one merchant's\n", KEYS_MAX);
    }
}

int cmd_listapikeys(int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    struct job job = {.command = &command};
    const struct flag flags[] = {{"--merchant", "ID|NAME", &job.merchant, NULL, "whose keys (everybody's)"}};
    const struct command_form form = {"listapikeys", NULL, flags, COUNT_OF(flags)};
    int status;
    if (!command_begin(&command, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    enum errc e = command_read(&command, run, &job, &err);
    if (e != OK) {
        status = command_fail(&err);
        if (e == ERR_EXISTS) {
            choice_list(&job.choice);
        }
        return status;
    }
    (command.json ? print_json : print_text)(&job);
    return 0;
}
