// paymentsd version: prints the version.
#include <stdio.h>

#include "base/require.h"
#include "cli/command.h"
#include "cli/commands.h"

int cmd_version(const struct command_about *about, int argc, char **argv)
{
    struct err err;
    bool json = false;
    bool help = false;
    const struct flag flags[] = {{"--json", NULL, NULL, &json, "print JSON"},
                                 {"--help", NULL, NULL, &help, "print this help"}};
    if (flags_take(flags, COUNT_OF(flags), &argc, argv, &err) != OK) {
        return command_misuse("%s", err.message);
    }
    if (argc > 0) {
        return command_misuse("unexpected argument \"%.60s\"", argv[0]);
    }
    if (help) {
        command_print_usage(about, NULL);
        flags_print_help(flags, COUNT_OF(flags), stdout);
        return 0;
    }
    (void)puts(json ? "{\"version\":\"" PAYMENTSD_VERSION "\"}" : "paymentsd " PAYMENTSD_VERSION);
    return 0;
}
