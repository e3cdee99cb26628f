// The database and its threads. Work for it is a job: a plain blocking function that runs on a database
// thread inside a transaction, and comes back to the loop when that transaction is durable. A writer commits
// the jobs that wait for it at the same time in one transaction; there are two where the database is a
// server, and jobs about the same subject have the same. Readers run theirs in one snapshot, which is never
// older than their submission. A job that fails undoes only itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/job.h"

struct store_options {
    const char *database; // "sqlite:PATH" or "postgresql://..."
    int readers;          // 0: no threads at all, a job runs inside store_submit (for a simulation)
    size_t queue_max;     // unfinished jobs, of both queues
    int64_t wait_max_us;  // of requests' jobs, if it goes on (fair_queue.h); 0: no limit
    size_t batch_max;     // jobs in one transaction
    struct random *random;
    const struct keyring *keyring;
    // Registers this process as a node of this name, if several processes may serve the database (node.h).
    // NULL: it is the only one.
    const char *node_name;
    // Runs in the first transaction after migrating. If it fails, so does store_open. NULL: nothing.
    enum errc (*check)(struct db *db, void *context, struct err *err);
    void *check_context;
};

struct store;

// Opens the database, creates it if there is none (mode 0600), and migrates it to this program's version.
// Jobs' `done` run on `loop`. ERR_CONFIG with one plain line: not a database, no such directory, no
// permission, read-only, or made by a newer version.
enum errc store_open(struct loop *loop, const struct store_options *options, struct store **out,
                     struct err *err) MUST_CHECK;

// From now on commits call these. Call it before the first job that writes events. Loop thread.
void store_listen(struct store *store, const struct store_listener *listener);

// Whether store_submit would take a job of this owner now. Loop thread.
bool store_admits(struct store *store, enum store_queue queue, uint64_t owner) MUST_CHECK;
// Queues a job. False: the queue is full, or the owner's jobs wait too long (fair_queue.h); nothing was
// queued. Loop thread.
bool store_submit(struct store *store, struct store_job *job) MUST_CHECK;

// Queues in any case: for jobs that finish what was begun. Loop thread.
void store_submit_always(struct store *store, struct store_job *job);

// The number of jobs that are queued or running. Any thread.
size_t store_waiting(const struct store *store);

// Whether other processes may serve the same database at this time: what they write must be looked for.
bool store_is_shared(const struct store *store);
// How long a look for due work may be put off: alone_us where this process is the only one, and less where
// others write, whose commits wake nobody here.
#define STORE_POLL_US 100000
static inline int64_t store_poll_us(const struct store *store, int64_t alone_us)
{
    return store_is_shared(store) && alone_us > STORE_POLL_US ? STORE_POLL_US : alone_us;
}
// As node.h has them. Loop thread.
int64_t store_nodes(const struct store *store);
int64_t store_nodes_removed_total(const struct store *store);
struct uuid store_stop_mark(const struct store *store);
int64_t store_trials(const struct store *store);
int64_t store_clock_ahead_us(const struct store *store);
bool store_clock_is_wrong(const struct store *store);

// How many statements were prepared for lists. Any thread, until store_close.
int64_t store_lists_prepared(const struct store *store);

// Whether the database's file still is the one that was opened. If not, every write is refused with
// ERR_STORE, and callers must send nothing: its record would be lost at the next start. Looks once in
// each turn of the loop. Loop thread.
bool store_in_place(struct store *store) MUST_CHECK;

// Finishes every queued job (their `done` still runs on the loop) and stops the threads. Nothing may be
// submitted any more. Loop thread, once.
void store_close(struct store *store);

// After store_close, when every `done` has run.
void store_free(struct store *store);

// The file of an embedded database: a part of `database`. NULL: a server has it.
const char *store_file(const char *database);
// Whether the name is one of a kind of database that there is a driver for.
bool store_knows(const char *database);
// What messages and the log call the database: the file's path, or "NAME at HOST". Holds no secret. In the
// arena.
const char *store_name(const char *database, struct arena *arena);
// Whether there is a database with at least the beginning of a schema. Creates nothing. ERR_CONFIG with one
// plain line: it cannot be read, is no database, or was made by a newer version.
enum errc store_exists(const char *database, bool *exists, struct err *err) MUST_CHECK;

// For commands and tests, in the calling thread. Opens and migrates the database and runs one job in one
// transaction.
enum errc store_run_once(const char *database,
                         enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                         struct err *err) MUST_CHECK;
// The same, but does not migrate, like the others below. ERR_CONFIG: the schema is another version's, and a
// service of that version may be using it.
enum errc store_change_once(const char *database,
                            enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                            struct err *err) MUST_CHECK;
// Runs one job in a read transaction on an existing database with any schema, and changes nothing: neither
// the schema nor any file.
enum errc store_look_once(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err) MUST_CHECK;
// ERR_CONFIG, naming the process: a server uses the database. This process must not have it open.
enum errc store_check_unserved(const char *database, struct err *err) MUST_CHECK;
// As store_change_once, while no server runs. ERR_CONFIG: one does. None can start until this returns.
enum errc store_run_alone(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err) MUST_CHECK;
// As store_change_once in a read transaction: the job sees the database as it is at one moment, and nobody's
// write waits for it, however long it takes.
enum errc store_read_once(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err) MUST_CHECK;

// Copies the database as it is at one moment into a new file, mode 0600, which is durable when this returns.
// On failure no file is left. Nobody's write waits. ERR_CONFIG: the file exists or cannot be created, or this
// database must be copied with its own tools; ERR_STORE.
enum errc store_backup(const char *database, const char *path, struct err *err) MUST_CHECK;
