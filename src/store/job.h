// A job for the store: what runs in a transaction, and what its commit triggers. See store.h.
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "store/db.h"
#include "store/tx.h"

enum store_queue { STORE_READ, STORE_WRITE };

// The owner of jobs that the service does for itself. They go before all requests' jobs.
#define STORE_OWN_JOB UINT64_C(0)

// Part of a struct of its owner, who keeps it alive until `done`.
struct store_job {
    struct task task;
    enum store_queue queue;
    uint64_t owner; // whose request it is; owners share the queue fairly
    // Database thread, inside a transaction. It is called again if a job of its batch fails after it has
    // written: what the first call wrote is then undone, and the second must set all outputs anew. It must
    // write nothing but the database and the job's own outputs. Anything but OK undoes what it wrote.
    enum errc (*run)(struct store_job *job, struct tx *tx, struct err *err);
    // May be NULL. Database thread, in the transaction, before any job of the batch runs: makes the queries
    // that `run` is going to make, in their order, and ignores what they find; it changes nothing else. All
    // of them are sent at once (db.asking), if the database is a server. `run` must make each of them before
    // it writes what it reads. Apart from rows that other nodes may change at any time, and rows that a
    // unique key guards, only jobs about the same subject may change what they read.
    void (*ahead)(struct store_job *job, struct tx *tx);
    struct uuid subject; // the payment; nil: none
    // Loop thread, after the commit. `result` is what run returned, or ERR_STORE or ERR_STORE_BUSY if the
    // transaction failed.
    void (*done)(struct store_job *job);
    // For its transaction (tx.h), as far as `run` uses them.
    struct arena *arena;
    const char *cause;
    const char *cause_ref;
    int64_t now_us; // 0: when it runs
    enum errc result;
    struct err err;
    // Set by the store.
    struct store *store;
    int writer;          // of a STORE_WRITE: its number
    int64_t queued_us;   // monotonic; of a request's job
    size_t queued_after; // so many others of its owner
    struct tx tx;
};

struct outbox_event;
struct outbox_next;

// Who delivers events to merchants. Loop thread, except `lease`.
struct event_listener {
    void (*due)(void *context); // an event waits for its delivery
    // Database thread, in a transaction that is about to write this event, the only one of its merchant that
    // is due. Leases it if it can be sent right after the commit: sets its status and the end of its lease.
    // NULL: it cannot. May itself be NULL.
    struct event_lease *(*lease)(void *context, struct outbox_event *event, const struct outbox_next *next,
                                 int64_t now_us);
    // The transaction that leased the event has ended. Takes the lease.
    void (*lease_ended)(void *context, struct event_lease *lease, bool committed);
    void *context;
};

// What commits trigger. Loop thread, before the job's `done`.
struct store_listener {
    struct event_listener events;
    void (*work_due)(void *context); // an operation is due
    void *context;
};
