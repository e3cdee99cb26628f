// The journal as a file: read at the start, rewritten without what is outdated, then appended to. Blocking,
// on the loop thread: this is a stand-in. It survives a restart or a kill, not a loss of power (nothing is
// synced).
#pragma once

#include "sandbox/sandbox.h"

struct persist {
    int fd; // -1: nothing is kept
};

// Restores the sandbox from the file, if there is one, and begins to keep it there. path NULL: nothing is
// kept. ERR_CONFIG for a file that is no journal, ERR_IO.
enum errc persist_open(struct persist *persist, struct sandbox *sandbox, const char *path,
                       struct err *err) MUST_CHECK;
// Appends what the journal has gathered. A file that cannot be written aborts: going on would lose charges.
void persist_flush(struct persist *persist, struct sandbox *sandbox);
void persist_close(struct persist *persist);
