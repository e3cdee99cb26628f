// paymentsd rotate-master-key: re-encrypts all stored secrets with a new key, while no service runs.
//
// The key files and the database cannot change at one instant. The order of the steps makes it safe to
// interrupt the command anywhere:
// 1. The new key is durable in a file of its own, and the old key has a second name.
// 2. One transaction re-encrypts everything and records the new key's id.
// 3. The new key's file replaces the old one's.
// The database knows which of the two keys it needs. If the command is run again, it uses the new key that it
// finds.
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/startup.h"
#include "store/copy_mark.h"
#include "store/meta.h"
#include "store/sealed.h"
#include "store/store.h"

struct job {
    struct command *command;
    struct keyring next;
    const char *next_file;
    const char *kept_file; // the old key's second name
    int64_t count;
};

static void end_job(struct job *job)
{
    keyring_wipe(&job->next);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static enum errc rekey(struct job *job, struct db *db, struct err *err)
{
    const struct config *config = &job->command->config;
    bool had_next = is_there(job->next_file);
    bool had_kept = is_there(job->kept_file);
    enum errc rc = keyring_load(&job->next, job->next_file, config->pepper_file, true, err);
    if (rc == OK) {
        rc = file_link(config->master_key_file, job->kept_file, err);
    }
    if (rc == OK) {
        rc = sealed_rekey(db, &job->command->keyring.master, &job->next.master, &job->count, err);
    }
    if (rc == OK) {
        rc = meta_change_master_key(db, job->next.master.id, err);
    }
    if (rc != OK && !had_next) { // nothing was committed, so nothing needs the new file
        (void)unlink(job->next_file);
    }
    if (rc != OK && !had_kept) {
        (void)unlink(job->kept_file);
    }
    return rc;
}

static enum errc run(struct db *db, void *context, struct err *err)
{
    struct job *job = context;
    const struct config *config = &job->command->config;
    const struct keyring *present = &job->command->keyring;
    enum errc rc = copy_mark_refuse(db, err);
    if (rc != OK) {
        return rc;
    }
    rc = meta_check_keys(db, present->master.id, present->pepper_id, err);
    if (rc == OK) {
        return rekey(job, db, err);
    }
    bool committed_before =
        is_there(job->next_file) &&
        keyring_load(&job->next, job->next_file, config->pepper_file, false, NULL) == OK &&
        meta_check_keys(db, job->next.master.id, job->next.pepper_id, NULL) == OK;
    return committed_before ? OK : rc;
}

static enum errc rotate(struct job *job, struct err *err)
{
    struct command *command = job->command;
    const struct config *config = &command->config;
    enum errc rc = startup_load_keys(config, &command->keyring, err);
    if (rc != OK) {
        return rc;
    }
    char id[2 * sizeof(command->keyring.master.id) + 1];
    text_hex(command->keyring.master.id, sizeof(command->keyring.master.id), id);
    job->kept_file = arena_printf(&command->arena, "%s.%s", config->master_key_file, id);
    job->next_file = startup_next_master_key_file(config, &command->arena);
    rc = store_run_alone(config->database, run, job, err);
    return rc == OK ? file_replace(config->master_key_file, job->next_file, err) : rc;
}

static void print(const struct job *job)
{
    struct command *command = job->command;
    if (!command->json) {
        (void)printf("re-encrypted values: %" PRId64 "\nThe new master key is in %s.\n"
                     "The old one is kept in %s. Only older backups need it.\n",
                     job->count, command->config.master_key_file, job->kept_file);
        return;
    }
    struct json_writer answer = json_writer(&command->arena);
    json_open_object(&answer, NULL);
    json_write_i64(&answer, "count", job->count);
    json_write_str(&answer, "master_key_file", command->config.master_key_file);
    json_write_str(&answer, "old_master_key_file", job->kept_file);
    (void)puts(json_finish(&answer));
}

int cmd_rotate_master_key(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const struct command_form form = {0};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    __attribute__((cleanup(end_job))) struct job job = {.command = &command};
    enum errc rc = startup_require_database(&command.config, &err);
    if (rc == OK) {
        rc = rotate(&job, &err);
    }
    if (rc != OK) {
        return command_fail(&err);
    }
    print(&job);
    return 0;
}
