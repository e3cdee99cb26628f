// One transaction, as the code inside it sees it: its connection, its time, its cause, and what its commit
// triggers. It belongs to a database thread from begin to commit.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/keyring.h"
#include "base/uuid.h"

struct db;
struct event_listener;

// An event that a transaction has leased for its delivery: a part of the delivery's own struct.
struct event_lease {
    struct event_lease *next;
};

struct tx {
    struct db *db;       // the connection
    struct arena *arena; // for what is read and built; the job's owner frees it
    struct random *random;
    const struct keyring *keyring;
    struct uuid node_id;   // of this process, which holds the leases that it writes; nil: it is the only one
    int64_t now_us;        // wall clock; everything written has this time
    const char *cause;     // of the changes: "api", "event", "recovery"
    const char *cause_ref; // request id, provider's event id; NULL: none

    // What the commit triggers. A rollback triggers nothing, but the leases are ended.
    bool event_due;             // an event may be delivered from now on, and is not leased
    struct event_lease *leases; // by this transaction
    struct event_lease *undone; // leases of the job's run before this one, which was undone
    bool work_due;              // an operation was opened that is due now

    const struct event_listener *events;
    struct uuid event_id; // of the last event written
};
