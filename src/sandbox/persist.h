// The journal as a file. It is read at the start, rewritten without outdated lines, then appended to. It
// blocks the loop thread, which is good enough for a sandbox. It survives a restart or a kill, but not a loss
// of power: nothing is synced.
#pragma once

#include "sandbox/sandbox.h"

struct persist {
    int fd; // -1: nothing is kept
};

// Restores the sandbox from the file, if it exists, and keeps it there from now on. path NULL: nothing is
// kept. ERR_CONFIG: the file is not a journal. ERR_IO.
enum errc persist_open(struct persist *persist, struct sandbox *sandbox, const char *path,
                       struct err *err) MUST_CHECK;
// Appends the journal's new lines. Aborts if the file cannot be written: to continue would lose charges.
void persist_flush(struct persist *persist, struct sandbox *sandbox);
void persist_close(struct persist *persist);
