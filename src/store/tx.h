// One transaction, as the code inside it sees it: its connection, its time, its cause, and what its commit
// triggers. It belongs to a database thread from begin to commit.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/keyring.h"
#include "base/uuid.h"

struct db;

struct tx {
    struct db *db;       // the connection
    struct arena *arena; // for what is read and built; the job's owner frees it
    struct random *random;
    const struct keyring *keyring;
    int64_t now_us;        // wall clock; everything written has this time
    const char *cause;     // of the changes: "api", "event", "recovery"
    const char *cause_ref; // request id, provider's event id; NULL: none

    // What the commit triggers. A rollback triggers nothing.
    bool event_written;   // an event was written, or may be delivered from now on
    bool work_due;        // an operation was opened that is due now
    struct uuid event_id; // of the last event written
};
