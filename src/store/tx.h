// One transaction, as the code inside of it sees it: where it reads and writes, by whose order and at what
// time, and what its commit triggers. A database thread's, from its begin to its commit.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/keyring.h"
#include "base/uuid.h"

struct db;

struct tx {
    struct db *db;       // the connection
    struct arena *arena; // for what is read and made; the job's owner frees it
    struct random *random;
    const struct keyring *keyring;
    int64_t now_us;        // wall clock; the one time of all that is written
    const char *cause;     // of what changes: "api", "event", "recovery"
    const char *cause_ref; // request id, provider's event id; NULL: none

    // What the commit triggers; nothing where it is rolled back.
    bool event_written;   // an event waits for its delivery to a merchant
    bool work_due;        // an operation was opened that is due now
    struct uuid event_id; // of the last event written
};

// Random bits, to spread times.
static inline uint32_t tx_random32(const struct tx *tx)
{
    uint32_t value = 0;
    tx->random->fill(tx->random, &value, sizeof(value));
    return value;
}
