// What the commands share: they read arguments, run one transaction, and report errors. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/keyring.h"
#include "cli/flags.h"
#include "op/state/access_change.h"

#define EXIT_USAGE 2

// A command in the program's help.
struct command_about {
    const char *name;
    const char *summary; // a verb phrase, without a full stop
};

// What a command accepts besides the settings' flags, --json and --help.
struct command_form {
    const char *argument; // name of its one positional argument in the help; NULL: it accepts none
    const struct flag *flags;
    size_t flag_count;
    bool prompts;          // in a terminal, for what was left out
    bool lists_settings;   // in its help; the help of the others refers to it
    bool creates_database; // if there is none, and migrates it; other commands refuse
};

struct command {
    struct arena arena;
    struct config config;
    struct keyring keyring; // empty until command_transact or startup_load_keys has loaded it
    const char *argument;   // the positional argument; NULL: none was given
    bool creates_database;  // as in its form
    bool json;
    bool ask; // it prompts, stdin is a terminal, and there is no --json
};
#define COMMAND_CLEANUP __attribute__((cleanup(command_end)))
void command_end(struct command *command);

// Reads argv and the settings. False: the help or an error was printed; the command ends with *status.
bool command_begin(struct command *command, const struct command_about *about,
                   const struct command_form *form, int argc, char **argv, int *status) MUST_CHECK;

// Checks that the database was created with the keys that the command loaded; a new database is bound to
// them. Refuses a database that a copy has marked (store/copy_mark.h). ERR_CONFIG.
enum errc command_check_keys(const struct command *command, struct db *db, struct err *err) MUST_CHECK;

// Loads the keys, checks that the database was created with them, and runs `run` in one write transaction.
// `run` may be NULL, for the check alone. Works while the service runs. If there is no database yet, a
// command that creates one creates the keys too, and any other refuses.
enum errc command_transact(struct command *command,
                           enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                           struct err *err) MUST_CHECK;

// The same in a read transaction, which sees one snapshot and blocks nobody.
enum errc command_read(struct command *command,
                       enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                       struct err *err) MUST_CHECK;

// Prints the first lines of a command's help. `argument` as in its form.
void command_print_usage(const struct command_about *about, const char *argument);

int64_t command_now_us(void);

// A change of merchants or keys in the command's transaction, which has loaded the keys.
struct access_change command_change(struct command *command, struct db *db);

// Prints the message as one line on stderr, "paymentsd: ...". Returns EXIT_USAGE for ERR_VALIDATION, which
// means wrong arguments or settings, and EXIT_FAILURE for everything else.
int command_fail(const struct err *err);
// The same for wrong arguments. Returns EXIT_USAGE.
int command_misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
