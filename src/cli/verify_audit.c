// paymentsd verify-audit: proves the chain. That its end was not cut off shows only beside a head kept
// elsewhere, so the head is printed.
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/startup.h"
#include "store/audit.h"

#define MAC_BYTES 32

struct job {
    struct command *command;
    int64_t count;
    int64_t broken_seq;
    uint8_t head[MAC_BYTES];
};

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    return audit_verify(db, job->command->keyring.pepper, &job->count, &job->broken_seq, job->head, err);
}

static void print(const struct job *job)
{
    char head[2 * MAC_BYTES + 1];
    text_hex(job->head, sizeof job->head, head);
    if (!job->command->json) {
        (void)printf("the audit log holds: %" PRId64 " entries\nhead %s\n", job->count, head);
        return;
    }
    JSON_CLEANUP struct json_object *answer = json_new_object();
    json_add_i64(answer, "count", job->count);
    json_add_str(answer, "head", head);
    (void)puts(json_text(&job->command->arena, answer));
}

int cmd_verify_audit(int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const struct command_form form = {.name = "verify-audit"};
    int status;
    if (!command_begin(&command, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    struct job job = {.command = &command};
    enum errc e = startup_need_database(&command.config, &err);
    if (e == OK) {
        e = command_read(&command, run, &job, &err);
    }
    if (e == OK && job.broken_seq != 0) {
        e = err_set(&err, ERR_STORE,
                    "the audit log was tampered with: entry %" PRId64 " does not follow from the %" PRId64
                    " before it",
                    job.broken_seq, job.count);
    }
    if (e != OK) {
        return command_fail(&err);
    }
    print(&job);
    return 0;
}
