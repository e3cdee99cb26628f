// The database and its threads. Work for it is a job: a plain blocking function that runs on a database
// thread inside a transaction, and comes back to the loop when that transaction is durable. SQLite: one
// writer, which drains its queue into one transaction (a savepoint a job, one COMMIT), and readers with
// snapshots. A failing job undoes only itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "store/db.h"
#include "store/tx.h"

enum store_queue { STORE_READ, STORE_WRITE };

// Embedded in whatever it serves; the owner keeps it alive until `done`.
struct store_job {
    struct task task;
    enum store_queue queue;
    // Database thread, inside a transaction. May be called again when the batch could not be committed, so it
    // must write nothing but the database and the job's own outputs. Anything but OK undoes what it wrote.
    enum errc (*run)(struct store_job *job, struct tx *tx, struct err *err);
    // Loop thread, after the commit. `result` is what run returned, or ERR_STORE or ERR_STORE_BUSY where the
    // transaction failed.
    void (*done)(struct store_job *job);
    // Of its transaction (tx.h), as far as `run` uses them.
    struct arena *arena;
    const char *cause;
    const char *cause_ref;
    int64_t now_us; // 0: when it runs
    enum errc result;
    struct err err;
    // The store's.
    struct store *store;
    struct tx tx;
};

// What commits trigger. Loop thread, before the job's `done`.
struct store_listener {
    void (*event_written)(void *context); // an event waits for its delivery to a merchant
    void (*work_due)(void *context);      // an operation is due
    void *context;
};

struct store_options {
    const char *database; // "sqlite:PATH"
    int readers;          // 0: no threads at all, a job runs inside store_submit (for a simulation)
    size_t queue_max;     // jobs not finished, both lanes
    size_t batch_max;     // jobs in one transaction
    struct random *random;
    const struct keyring *keyring;
    // Runs in the first transaction, when nothing else was written but what migrating needs; where it fails,
    // so does the opening. NULL: nothing.
    enum errc (*check)(struct db *db, void *context, struct err *err);
    void *check_context;
};

struct store;

// Opens (creating it where allowed, mode 0600), and migrates to this program's version. ERR_CONFIG with one
// plain line: not a database, no such directory, no permission, read-only, made by a newer version. `loop`
// gets the `done`s.
enum errc store_open(struct loop *loop, const struct store_options *options, struct store **out,
                     struct err *err) MUST_CHECK;

// From now on commits trigger these. Loop thread.
void store_listen(struct store *store, const struct store_listener *listener);

// Queues a job. False: the queue is full, nothing was queued. Loop thread.
bool store_submit(struct store *store, struct store_job *job) MUST_CHECK;

// Queues even beyond queue_max: for jobs that settle what was already begun. Loop thread.
void store_submit_always(struct store *store, struct store_job *job);

// Jobs that are queued or under way: whoever submitted them waits still. Any thread.
size_t store_waiting(const struct store *store);

// Whether the database's file still is the one that was opened. Where not, every write is refused with
// ERR_STORE, and nothing may be sent anywhere: what is known of it would be gone at the next start. Any
// thread.
bool store_in_place(const struct store *store) MUST_CHECK;

// Finishes every queued job (their `done`s still run on the loop), stops the threads. Nothing can be
// submitted any more. Loop thread, once.
void store_close(struct store *store);

// After store_close, when the `done`s have run.
void store_free(struct store *store);

// For the command that migrates, and for tests: opens, migrates and runs one job in the calling thread, in
// one transaction.
enum errc store_run_once(const char *database,
                         enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                         struct err *err) MUST_CHECK;
// The same on a database of this program's schema, and so are the others below. ERR_CONFIG: it is of an older
// one, which a service of that version may be using.
enum errc store_change_once(const char *database,
                            enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                            struct err *err) MUST_CHECK;
// Runs one job on a database that is there, of whatever schema, in a read transaction, changing nothing:
// neither its schema nor any file.
enum errc store_look_once(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err) MUST_CHECK;
// ERR_CONFIG, naming the process: a server runs on the database. It must not be open in this process.
enum errc store_check_unserved(const char *database, struct err *err) MUST_CHECK;
// As store_change_once, as the database's only server: ERR_CONFIG while one runs, and none starts until it is
// over.
enum errc store_run_alone(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err) MUST_CHECK;
// As store_change_once in a read transaction: as of one moment, and nobody's write waits for it, however long
// it takes.
enum errc store_read_once(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err) MUST_CHECK;

// Copies the database as it is at one moment into a new file, mode 0600, which is durable when this returns.
// On failure no file is left. Nobody's write waits. ERR_CONFIG: the file exists or cannot be created, or this
// database must be copied with its own tools; ERR_STORE.
enum errc store_backup(const char *database, const char *path, struct err *err) MUST_CHECK;
