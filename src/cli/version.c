// paymentsd version.
#include <stdio.h>

#include "base/require.h"
#include "cli/command.h"
#include "cli/commands.h"

int cmd_version(int argc, char **argv)
{
    struct err err;
    bool json = false;
    const struct flag flags[] = {{"--json", NULL, NULL, &json, "print JSON"}};
    if (flags_take(flags, COUNT_OF(flags), &argc, argv, &err) != OK) {
        return command_misuse("%s", err.message);
    }
    if (argc > 0) {
        return command_misuse("version takes nothing but --json");
    }
    (void)puts(json ? "{\"version\":\"" PAYMENTSD_VERSION "\"}" : "paymentsd " PAYMENTSD_VERSION);
    return 0;
}
