// paymentsd listapikeys: lists all keys, or one merchant's, newest first.
#include <stdio.h>

#include "base/json_writer.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/key_print.h"
#include "cli/select_merchant.h"
#include "domain/scopes.h"

#define KEYS_MAX 10000 // listed at once

struct job {
    struct command *command;
    const char *merchant; // NULL: all
    struct merchant_selection selection;
    struct api_key *keys;
    struct merchant *merchants; // of the key at the same index
    size_t count;
};

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    struct arena *arena = &job->command->arena;
    enum errc rc =
        job->merchant == NULL ? OK : select_named_merchant(db, job->merchant, arena, &job->selection, err);
    if (rc != OK) {
        return rc;
    }
    job->keys = arena_alloc(arena, KEYS_MAX * sizeof *job->keys);
    rc = api_key_list(db, &job->selection.merchant.id, arena, job->keys, KEYS_MAX, &job->count, err);
    if (rc != OK) {
        return rc;
    }
    job->merchants = arena_alloc(arena, job->count * sizeof *job->merchants);
    for (size_t i = 0; rc == OK && i < job->count; i++) {
        // Successive keys mostly belong to one merchant.
        if (i > 0 && uuid_equal(&job->keys[i].merchant_id, &job->keys[i - 1].merchant_id)) {
            job->merchants[i] = job->merchants[i - 1];
        } else {
            rc = merchant_get(db, &job->keys[i].merchant_id, arena, &job->merchants[i], err);
        }
    }
    return rc;
}

static void print_json(const struct job *job)
{
    struct json_writer list = json_writer(&job->command->arena);
    json_open_array(&list, NULL);
    int64_t now_us = command_now_us();
    for (size_t i = 0; i < job->count; i++) {
        json_open_object(&list, NULL);
        key_write(&list, &job->keys[i], &job->merchants[i], now_us);
        json_close(&list);
    }
    (void)puts(json_finish(&list));
}

static void print_text(const struct job *job)
{
    int64_t now_us = command_now_us();
    (void)printf("%-36s  %-12s  %-8s  %-27s  %-20s  %s\n", "ID", "PREFIX", "STATE", "EXPIRES", "MERCHANT",
                 "SCOPES");
    for (size_t i = 0; i < job->count; i++) {
        const struct api_key *key = &job->keys[i];
        char id[UUID_TEXT_BYTES];
        char expires[TIME_TEXT_BYTES] = "never";
        uuid_format(&key->id, id);
        if (key->expires_us != 0) {
            time_format(key->expires_us, expires);
        }
        (void)printf("%-36s  %-12s  %-8s  %-27s  %-20s  %s%s%s\n", id, key->prefix,
                     api_key_state(key, job->merchants[i].is_active, now_us), expires, job->merchants[i].name,
                     scopes_format(&job->command->arena, key->scopes), key->name ? "  # " : "",
                     key->name ? key->name : "");
    }
    if (job->count == KEYS_MAX) {
        (void)fprintf(stderr, "only the newest %d keys are listed; use --merchant for one merchant's keys\n",
                      KEYS_MAX);
    }
}

int cmd_listapikeys(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    struct job job = {.command = &command};
    const struct flag flags[] = {
        {"--merchant", "ID|NAME", &job.merchant, NULL, "list only this merchant's keys"}};
    const struct command_form form = {.flags = flags, .flag_count = COUNT_OF(flags)};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    if (command_read(&command, run, &job, &err) != OK) {
        return selection_fail(&job.selection, &err);
    }
    (command.json ? print_json : print_text)(&job);
    return 0;
}
