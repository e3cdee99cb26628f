// paymentsd sandbox: runs the stand-in for Stripe. It uses none of the service's settings, and no database.
#include <stdio.h>

#include "base/require.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "sandbox/sandbox.h"

#define LISTEN_DEFAULT "127.0.0.1:12111"

int cmd_sandbox(const struct command_about *about, int argc, char **argv)
{
    struct err err;
    struct sandbox_options options = {0};
    bool help = false;
    const struct flag flags[] = {
        {"--listen", "ADDRESS", &options.listen, NULL,
         "address and port to listen on (default: " LISTEN_DEFAULT ")"},
        {"--data", "FILE", &options.data_file, NULL, "keep all data in this file (default: in memory only)"},
        {"--help", NULL, NULL, &help, "print this help"},
    };
    if (flags_take(flags, COUNT_OF(flags), &argc, argv, &err) != OK) {
        return command_misuse("%s", err.message);
    }
    if (help) {
        command_print_usage(about, NULL);
        flags_print_help(flags, COUNT_OF(flags), stdout);
        return 0;
    }
    if (argc > 0) {
        return command_misuse("unexpected argument \"%.60s\"", argv[0]);
    }
    options.listen = options.listen != NULL ? options.listen : LISTEN_DEFAULT;
    return sandbox_run(&options, &err) == OK ? 0 : command_fail(&err);
}
