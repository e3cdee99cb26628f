// What every command does before and around its own work.
#include "cli/command.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "cli/startup.h"
#include "store/copy_mark.h"
#include "store/meta.h"
#include "store/store.h"

void command_end(struct command *command)
{
    keyring_wipe(&command->keyring);
    arena_release(&command->arena);
}

void command_print_usage(const struct command_about *about, const char *argument)
{
    (void)printf("usage: paymentsd %s%s%s [FLAG...]\n\n%c%s.\n\n", about->name, argument ? " " : "",
                 argument ? argument : "", toupper(about->summary[0]), about->summary + 1);
}

static void print_help(const struct command_about *about, const struct command_form *form,
                       const struct flag *common, size_t common_count)
{
    command_print_usage(about, form->argument);
    flags_print_help(form->flags, form->flag_count, stdout);
    flags_print_help(common, common_count, stdout);
    if (form->lists_settings) {
        (void)putchar('\n');
        config_print_help(stdout);
        return;
    }
    if (form->prompts) {
        (void)printf("\nIn a terminal you are prompted for anything you leave out.\n");
    }
    (void)printf("\nThe service's settings apply too, such as --data-dir or its variable PAYMENTS_DATA_DIR.\n"
                 "Run \"paymentsd serve --help\" for a list.\n");
}

bool command_begin(struct command *command, const struct command_about *about,
                   const struct command_form *form, int argc, char **argv, int *status)
{
    struct err err;
    bool help = false;
    const struct flag common[] = {
        {"--json", NULL, NULL, &command->json,
         form->prompts ? "print JSON, and do not prompt" : "print JSON"},
        {"--help", NULL, NULL, &help, "print this help"},
    };
    if (flags_take(form->flags, form->flag_count, &argc, argv, &err) != OK ||
        flags_take(common, COUNT_OF(common), &argc, argv, &err) != OK) {
        *status = command_misuse("%s", err.message);
        return false;
    }
    if (help) {
        print_help(about, form, common, COUNT_OF(common));
        *status = 0;
        return false;
    }
    int words = 0;
    if (config_load(&command->config, &command->arena, argc, argv, environ, &command->argument,
                    form->argument ? 1 : 0, &words, &err) != OK ||
        startup_check_settings(&command->config, &command->arena, &err) != OK) {
        *status = command_fail(&err);
        return false;
    }
    command->creates_database = form->creates_database;
    command->ask = form->prompts && !command->json && isatty(STDIN_FILENO);
    return true;
}

struct transaction {
    const struct command *command;
    enum errc (*run)(struct db *db, void *context, struct err *err); // NULL: nothing more
    void *context;
};

enum errc command_check_keys(const struct command *command, struct db *db, struct err *err)
{
    enum errc rc = copy_mark_refuse(db, err);
    if (rc != OK) {
        return rc;
    }
    rc = meta_check_keys(db, command->keyring.master.id, command->keyring.pepper_id, err);
    if (rc == ERR_CONFIG) {
        startup_explain_rotation(&command->config, err);
    }
    return rc;
}

static enum errc run_with_right_keys(struct db *db, void *context, struct err *err)
{
    const struct transaction *transaction = context;
    enum errc rc = command_check_keys(transaction->command, db, err);
    return rc != OK || transaction->run == NULL ? rc : transaction->run(db, transaction->context, err);
}

enum errc command_transact(struct command *command,
                           enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                           struct err *err)
{
    enum errc rc = command->creates_database ? OK : startup_require_database(&command->config, err);
    if (rc == OK) {
        rc = startup_load_keys(&command->config, &command->keyring, err);
    }
    if (rc != OK) {
        return rc;
    }
    struct transaction transaction = {.command = command, .run = run, .context = context};
    const char *database = command->config.database;
    if (!command->creates_database) {
        return store_change_once(database, run_with_right_keys, &transaction, err);
    }
    rc = store_check_unserved(database, err);
    return rc != OK ? rc : store_run_once(database, run_with_right_keys, &transaction, err);
}

enum errc command_read(struct command *command,
                       enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                       struct err *err)
{
    // The check of the keys writes to a new database, so it has its own transaction.
    enum errc rc = command_transact(command, NULL, NULL, err);
    return rc != OK ? rc : store_read_once(command->config.database, run, context, err);
}

int64_t command_now_us(void)
{
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

struct access_change command_change(struct command *command, struct db *db)
{
    return (struct access_change){.db = db,
                                  .arena = &command->arena,
                                  .random = &random_system,
                                  .keyring = &command->keyring,
                                  .now_us = command_now_us()};
}

// A path or name in the message may contain control characters: they must not break the line or move the
// cursor.
static void print_line(const char *message)
{
    (void)fputs("paymentsd: ", stderr);
    for (const char *at = message; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        (void)fputc(c < 0x20 || c == 0x7f ? '?' : c, stderr);
    }
    (void)fputc('\n', stderr);
}

int command_fail(const struct err *err)
{
    print_line(err->message);
    return err->code == ERR_VALIDATION ? EXIT_USAGE : EXIT_FAILURE;
}

int command_misuse(const char *format, ...)
{
    char message[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    print_line(message);
    return EXIT_USAGE;
}
