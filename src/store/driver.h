// What a database driver must do. A driver has a folder of its own (sqlite/); only the store's files that run
// transactions call it.
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "store/value.h"

// A step of the schema that a driver has words of its own for.
struct schema_change {
    size_t version;
    const char *script;
};

#define DB_WRITERS_MAX 2

struct db_driver {
    const char *prefix; // of the database's name: "sqlite:"
    // A server has the database, and any number of processes may serve it. False: it is a file, whose path
    // follows the prefix, and one process serves it with one writing connection.
    bool is_shared;
    int tries;   // of a job that loses to another connection's transaction
    int writers; // connections of one process that write at the same time
    // As store_name.
    const char *(*name)(const char *database, struct arena *arena);
    // Whether the file is a database already. ERR_CONFIG, as `open`. Of a file.
    enum errc (*file_holds)(const char *database, bool *holds, struct err *err);
    // `writable` false: a connection for readers. The name must outlive it. ERR_CONFIG with one plain line,
    // ERR_STORE, ERR_STORE_BUSY.
    enum errc (*open)(const char *database, bool writable, struct db **db, struct err *err);
    // A connection that changes nothing, not even the files beside the database. For a single read.
    enum errc (*look)(const char *database, struct db **db, struct err *err);
    void (*close)(struct db *db);
    // The connection is a service's from now on, whose writing connection is `writer`. It does not wait long
    // for an answer, finds out what became of a commit whose answer was lost (the table `commits`), and
    // follows the writer to another server. If it is shared.
    void (*serve)(struct db *db, struct db *writer);
    // Makes this process the only server of the database until the descriptor *claim is closed. ERR_CONFIG:
    // another process is. Of a file, as the two that follow.
    enum errc (*claim)(const char *database, int *claim, struct err *err);
    // ERR_CONFIG, naming the process: one has claimed the database. This process must not have it open.
    enum errc (*check_unclaimed)(const char *database, struct err *err);
    // ERR_STORE: the claimed database was moved away or replaced. What is written to it now would be lost at
    // the next start.
    enum errc (*in_place)(const char *database, int claim, struct err *err);
    // As store_backup. NULL: the database has its own tools for that.
    enum errc (*backup)(const char *database, const char *path, struct err *err);
    const char *table_exists; // SQL that yields a row if there is a table named $1
    // A UNION ALL of lists is read in order, and only as far as needed. False: only if each list says both.
    bool merges_lists;
    // The steps of the schema that are not those of schema.h. NULL: none, and so is the NULL at the end.
    const struct schema_change *schema_changes;

    enum errc (*begin)(struct db *db, bool write, struct err *err);
    // If it fails, no transaction is open. ERR_STORE_UNKNOWN: it may be committed. Any other error: it never
    // will be.
    enum errc (*commit)(struct db *db, struct err *err);
    void (*rollback)(struct db *db);
    enum errc (*savepoint)(struct db *db, struct err *err);
    enum errc (*release)(struct db *db, struct err *err);
    enum errc (*rollback_to)(struct db *db, struct err *err);             // undoes and drops the savepoint
    enum errc (*script)(struct db *db, const char *sql, struct err *err); // several statements, no parameters

    // Runs a statement whose result nobody needs. It may run later, and fail then: `settle`, `query` or
    // `commit` says so. If it is shared, as the five that follow.
    enum errc (*run)(struct db *db, const char *sql, const struct db_value *values, size_t count,
                     struct err *err);
    // The same for a statement that changes exactly one row.
    enum errc (*run_one)(struct db *db, const char *sql, const struct db_value *values, size_t count,
                         struct err *err);
    // As db_lock.
    enum errc (*lock)(struct db *db, const char *sql, const struct db_value *values, size_t count,
                      struct err *err);
    // This transaction, of several jobs, waits only briefly for locks.
    enum errc (*wait_briefly)(struct db *db, struct err *err);
    // Waits for all that was run.
    enum errc (*settle)(struct db *db, struct err *err);
    // Whoever asked ahead (db.asking) no longer finds the answers.
    void (*forget_asked)(struct db *db);
    // Prepares the text on its first use and keeps the statement.
    enum errc (*query)(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values,
                       size_t count, struct err *err);
    // As db_query_built.
    enum errc (*query_built)(struct db *db, struct db_rows *rows, const char *sql,
                             const struct db_value *values, size_t count, struct err *err);
    // Prepares the text for this use alone.
    enum errc (*query_once)(struct db *db, struct db_rows *rows, const char *sql,
                            const struct db_value *values, size_t count, struct err *err);
    enum errc (*next)(struct db_rows *rows, bool *has, struct err *err);
    // As db_limit. NULL: it cannot count steps.
    void (*limit)(struct db_rows *rows, int steps);
    int64_t (*changed)(struct db *db);
    // Grows with each row that a statement of this connection inserts, updates or deletes.
    int64_t (*changed_total)(struct db *db);
    int (*column_count)(struct db_rows *rows);
    struct db_value (*column)(struct db_rows *rows, int column); // borrowed until the next db_next
    const char *(*column_name)(struct db_rows *rows, int column);
    void (*close_rows)(struct db_rows *rows);

    // The write-ahead log, if the database has one that must be copied back (else NULL). Outside a
    // transaction.
    int64_t (*log_bytes)(struct db *db); // after this connection's last commit
    // Copies as much as it can without waiting; the log may still be long. False: the disk failed to sync the
    // copy. The process must end: only a new start copies the whole log again.
    bool (*copy_log)(struct db *db) MUST_CHECK;
    // Likewise while another connection writes, so that copy_log finds little left to copy and to sync.
    bool (*copy_log_ahead)(struct db *db) MUST_CHECK;
};

#define DB_DAMAGED_BYTES 80

// The first member of every driver's connection.
struct db {
    const struct db_driver *driver;
    char damaged[DB_DAMAGED_BYTES]; // the damage that the present job met; "": none
    struct kept_rows *kept;         // NULL: it keeps none
    // This transaction has compared its generation with that of the kept rows (kept_rows.h). The driver
    // clears it when a transaction begins, when a savepoint is rolled back, and when this connection changes
    // the table `generation`.
    bool generation_known;
    // Asking ahead: queries are sent and find no row. When the same `asker` makes the same query again, with
    // `asking` cleared, it finds the answer of then, once.
    bool asking;
    const void *asker;
    bool aborted;                // the transaction's statements fail until it, or a savepoint, is undone
    bool spoiled;                // a job of the last batch failed after it had written (batch.c)
    atomic_int connected_total;  // how often it connected to a server; any thread may read it
    atomic_llong prepared_total; // statements prepared for db_query_built; any thread may read it
};

extern const struct db_driver sqlite_driver;
extern const struct db_driver postgres_driver;

// Finds the driver for a database of this name. ERR_CONFIG: there is none.
enum errc db_driver_find(const char *database, const struct db_driver **driver, struct err *err) MUST_CHECK;
