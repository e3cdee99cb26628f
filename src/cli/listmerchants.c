// paymentsd listmerchants: lists merchants and admins, oldest first.
#include <stdio.h>

#include "base/json_writer.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "store/merchants.h"

#define MERCHANTS_MAX 10000

struct job {
    struct command *command;
    struct merchant *merchants;
    size_t count;
    bool more;
};

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    struct arena *arena = &job->command->arena;
    job->merchants = arena_alloc(arena, MERCHANTS_MAX * sizeof *job->merchants);
    return merchant_list(db, true, arena, job->merchants, MERCHANTS_MAX, &job->count, &job->more, err);
}

static void print_json(const struct job *job)
{
    struct json_writer list = json_writer(&job->command->arena);
    json_open_array(&list, NULL);
    for (size_t i = 0; i < job->count; i++) {
        const struct merchant *merchant = &job->merchants[i];
        json_open_object(&list, NULL);
        json_write_uuid(&list, "id", &merchant->id);
        json_write_str(&list, "name", merchant->name);
        json_write_str(&list, "role", merchant_role(merchant));
        json_write_bool(&list, "is_active", merchant->is_active);
        json_write_str(&list, "webhook_url", merchant->webhook_url);
        json_write_time(&list, "created_at", merchant->created_us);
        json_close(&list);
    }
    (void)puts(json_finish(&list));
}

static void print_text(const struct job *job)
{
    (void)printf("%-36s  %-8s  %-8s  %-20s  %s\n", "ID", "ROLE", "STATE", "CREATED", "NAME");
    for (size_t i = 0; i < job->count; i++) {
        const struct merchant *merchant = &job->merchants[i];
        char id[UUID_TEXT_BYTES];
        char created[TIME_TEXT_BYTES];
        uuid_format(&merchant->id, id);
        time_format(merchant->created_us, created);
        (void)printf("%-36s  %-8s  %-8s  %-20s  %s\n", id, merchant_role(merchant),
                     merchant->is_active ? "active" : "inactive", created, merchant->name);
    }
}

int cmd_listmerchants(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    struct job job = {.command = &command};
    const struct command_form form = {0};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    if (command_read(&command, run, &job, &err) != OK) {
        return command_fail(&err);
    }
    (command.json ? print_json : print_text)(&job);
    if (job.more) {
        (void)fprintf(stderr, "only the oldest %d merchants are listed\n", MERCHANTS_MAX);
    }
    return 0;
}
