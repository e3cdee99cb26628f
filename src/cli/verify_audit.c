// paymentsd verify-audit: verifies the audit log's hash chain and prints its head. A truncated chain is still
// a valid one, so only a head that was kept elsewhere (the service's log has one) shows that the end is
// missing: --head takes it.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/require.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/startup.h"
#include "store/audit.h"

#define MAC_BYTES AUDIT_MAC_BYTES

struct job {
    struct command *command;
    int64_t count;
    int64_t broken_seq;
    uint8_t head[MAC_BYTES];
    struct audit_head kept; // from --head; zeros: none
    bool kept_holds;
};

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    enum errc rc =
        audit_verify(db, job->command->keyring.pepper, &job->count, &job->broken_seq, job->head, err);
    return rc == OK ? audit_head_holds(db, job->command->keyring.pepper, &job->kept, &job->kept_holds, err)
                    : rc;
}

static void print(const struct job *job)
{
    char head[2 * MAC_BYTES + 1];
    text_hex(job->head, sizeof job->head, head);
    if (!job->command->json) {
        (void)printf("the audit log is intact: %" PRId64 " entries\nhead %s\n", job->count, head);
        return;
    }
    struct json_writer answer = json_writer(&job->command->arena);
    json_open_object(&answer, NULL);
    json_write_i64(&answer, "count", job->count);
    json_write_str(&answer, "head", head);
    (void)puts(json_finish(&answer));
}

static bool read_head(const char *text, uint8_t mac[MAC_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != (size_t)2 * MAC_BYTES || strspn(text, digits) != (size_t)2 * MAC_BYTES) {
        return false;
    }
    for (size_t i = 0; i < MAC_BYTES; i++) {
        mac[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 |
                           (strchr(digits, text[2 * i + 1]) - digits));
    }
    return true;
}

int cmd_verify_audit(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const char *kept = NULL;
    const struct flag flags[] = {
        {"--head", "HEX", &kept, NULL, "an earlier head, which the log must still contain"}};
    const struct command_form form = {.flags = flags, .flag_count = COUNT_OF(flags)};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    struct job job = {.command = &command};
    if (kept != NULL && !read_head(kept, job.kept.mac)) {
        return command_misuse("--head must be 64 hexadecimal digits");
    }
    enum errc rc = startup_require_database(&command.config, &err);
    if (rc == OK) {
        rc = command_read(&command, run, &job, &err);
    }
    if (rc == OK && job.broken_seq != 0) {
        rc = err_set(&err, ERR_STORE,
                     "the audit log was tampered with: entry %" PRId64 " does not follow from the %" PRId64
                     " entries before it",
                     job.broken_seq, job.count);
    }
    if (rc == OK && !job.kept_holds) {
        rc = err_set(
            &err, ERR_STORE,
            "the audit log no longer contains the given head: it was truncated, or the head is an old "
            "count that was deleted by age");
    }
    if (rc != OK) {
        return command_fail(&err);
    }
    print(&job);
    return 0;
}
