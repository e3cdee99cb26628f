// What the commands share: reading their words, their one transaction, and how they fail. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/keyring.h"
#include "cli/flags.h"
#include "store/db.h"

#define EXIT_MISTAKE 1
#define EXIT_USAGE 2

// What a command takes beside the settings' flags, --json and --help.
struct command_form {
    const char *name;
    const char *word; // what the help calls its one positional word; NULL: it takes none
    const struct flag *flags;
    size_t flag_count;
    bool lists_settings; // its help says what each setting is; the others' help says where to find that
    bool makes_database; // where there is none, and migrates; every other command refuses then
};

struct command {
    struct arena arena;
    struct config config;
    struct keyring keyring; // after command_load_keys
    const char *word;       // the positional word; NULL: none was given
    bool makes_database;    // as its form says
    bool json;
    bool ask; // somebody is there to answer questions: a terminal on stdin, and no --json
};
#define COMMAND_CLEANUP __attribute__((cleanup(command_end)))
void command_end(struct command *command);

// Reads argv and the settings. False: the command is over (help was printed, or a mistake said), with
// *status.
bool command_begin(struct command *command, const struct command_form *form, int argc, char **argv,
                   int *status) MUST_CHECK;

// Whether the database was made with the keys that the command loaded; a new one is from now on. ERR_CONFIG.
enum errc command_check_keys(const struct command *command, struct db *db, struct err *err) MUST_CHECK;

// Runs `run` in one write transaction of the migrated database, after checking that it was made with the
// service's keys, which this loads. `run` NULL: only that. Works beside a running service. Where there is no
// database yet, a command that makes one makes the keys too; any other refuses.
enum errc command_transact(struct command *command,
                           enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                           struct err *err) MUST_CHECK;

// The same in a read transaction, as of one moment; nobody waits for it.
enum errc command_read(struct command *command,
                       enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                       struct err *err) MUST_CHECK;

int64_t command_now_us(void);

// One line on stderr, "paymentsd: ...", whatever the message holds. Answers EXIT_USAGE for ERR_VALIDATION,
// which is what a command was called with, and EXIT_MISTAKE for all else.
int command_fail(const struct err *err);
// The same for a command that was called in a wrong way. Answers EXIT_USAGE.
int command_misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
