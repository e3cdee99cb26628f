// A command's own flags. They are taken out of argv; the rest, the flags of the settings, goes to
// config_load.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

struct flag {
    const char *name;    // "--merchant"
    const char *operand; // the name of its value in the help; NULL: a switch
    const char **text;   // set to its value, which points into argv
    bool *given;         // a switch is set here instead
    const char *help;
};

// Takes these flags ("--name X" or "--name=X") out of argv and shortens *argc; the other words keep their
// order, and nothing after "--" is touched. ERR_VALIDATION: a value is missing, empty or given twice.
enum errc flags_take(const struct flag *flags, size_t flag_count, int *argc, char **argv,
                     struct err *err) MUST_CHECK;

void flags_print_help(const struct flag *flags, size_t flag_count, FILE *out);
