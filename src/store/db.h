// One database connection as the queries see it: the same SQL text for SQLite and PostgreSQL ($1 parameters,
// ON CONFLICT, RETURNING), times as integer microseconds, ids as 16 bytes, JSON as text. One thread at a
// time. Blocking.
#pragma once

#include "base/arena.h"
#include "store/value.h"

// At the end of a SELECT of one row by which a writing transaction decides: the row is locked until that
// transaction ends. SQLite has one writer and needs no lock.
#define LOCKED " /*FOR UPDATE*/"
// The same for rows of which any will do: those that another transaction has locked are left out.
#define FREE_ONLY " /*FOR UPDATE SKIP LOCKED*/"

// The order of ids that are read from one end of an index that begins with other columns, as those of lists
// do. Ids are never NULL: the words keep PostgreSQL's planner from reading the index of all ids instead,
// whose other rows it would have to pass. Its indexes for lists have them, too.
#define NEWEST_FIRST " ORDER BY id DESC NULLS LAST"
#define OLDEST_FIRST " ORDER BY id NULLS FIRST"

// Declares a running statement that is reset at the end of its scope.
#define DB_ROWS(name) __attribute__((cleanup(db_rows_close))) struct db_rows name = {0}
void db_rows_close(struct db_rows *rows);

// The service that opened the connection begins to use it. `writer`: its writing connection. See driver.h.
void db_serve(struct db *db, struct db *writer);

// Starts a statement. `sql` must be a string literal, because the statement is kept and found again by it.
// Values are bound without copying: they must outlive the rows. ERR_STORE, ERR_STORE_BUSY and ERR_EXISTS may
// come from here or from db_next.
enum errc db_query_values(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                          const struct db_value *values, size_t count) MUST_CHECK;
// The same for SQL that was built at run time. The connection keeps the statements of the texts that it used
// last, at most 64.
enum errc db_query_built(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                         const struct db_value *values, size_t count) MUST_CHECK;
// The same for SQL that is used once: the statement is not kept.
enum errc db_query_once(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                        const struct db_value *values, size_t count) MUST_CHECK;
// Moves to the next row; *has is false after the last.
enum errc db_next(struct db_rows *rows, bool *has, struct err *err) MUST_CHECK;
// Lets a statement that reads take at most so many steps of the database's machine, some eight for a row that
// it passes. After them db_next finds no row, and rows->is_cut is true. Only if the database can
// (db_can_limit).
void db_limit(struct db_rows *rows, int steps);
bool db_can_limit(const struct db *db);
// Starts a statement and moves to its first row; *has is false if there is none.
enum errc db_first_values(struct db *db, struct db_rows *rows, bool *has, struct err *err, const char *sql,
                          const struct db_value *values, size_t count) MUST_CHECK;
// The same for a row that must be there. ERR_NOT_FOUND with the message `missing`: there is none.
enum errc db_one_values(struct db *db, struct db_rows *rows, const char *missing, struct err *err,
                        const char *sql, const struct db_value *values, size_t count) MUST_CHECK;

// For a query that is only asked ahead (store_job.ahead): what it found does not matter.
static inline void db_asked(enum errc rc)
{
    (void)rc;
}

// Runs a statement to its end and ignores its rows; *changed (may be NULL) is how many rows it changed.
// ERR_EXISTS: a unique constraint; ERR_STORE_BUSY: another process holds the database; ERR_STORE: anything
// else.
enum errc db_run_values(struct db *db, int64_t *changed, struct err *err, const char *sql,
                        const struct db_value *values, size_t count) MUST_CHECK;

// As db_run, for a statement that changes exactly one row, which this transaction has read: otherwise the
// process aborts. On a server nobody waits for that; it may be found after the commit.
enum errc db_run_one_values(struct db *db, struct err *err, const char *sql, const struct db_value *values,
                            size_t count) MUST_CHECK;

// Whether a transaction with this result has lost a conflict with another connection's: it has changed
// nothing, and may run again.
static inline bool db_lost_conflict(enum errc rc)
{
    return rc == ERR_STORE_BUSY || rc == ERR_EXISTS;
}
// Runs it in a write transaction of its own, and commits if it returns OK. None may be open. It runs again if
// it loses a conflict, db_driver.tries times in all.
enum errc db_alone(struct db *db, enum errc (*run)(struct db *db, void *context, struct err *err),
                   void *context, struct err *err) MUST_CHECK;

// Locks the rows of a SELECT that ends with LOCKED, for a transaction that will read or change them later.
// Nothing where there is one writer, and in a transaction that reads. Errors may come later, as from db_run.
enum errc db_lock_values(struct db *db, struct err *err, const char *sql, const struct db_value *values,
                         size_t count) MUST_CHECK;

#define DB_VALUES(...)                                                                                       \
    (const struct db_value[]){__VA_ARGS__},                                                                  \
        sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)
#define db_query(db, rows, err, sql, ...) db_query_values((db), (rows), (err), (sql), DB_VALUES(__VA_ARGS__))
#define db_first(db, rows, has, err, sql, ...)                                                               \
    db_first_values((db), (rows), (has), (err), (sql), DB_VALUES(__VA_ARGS__))
#define db_one(db, rows, missing, err, sql, ...)                                                             \
    db_one_values((db), (rows), (missing), (err), (sql), DB_VALUES(__VA_ARGS__))
#define db_run(db, changed, err, sql, ...)                                                                   \
    db_run_values((db), (changed), (err), (sql), DB_VALUES(__VA_ARGS__))
#define db_run_one(db, err, sql, ...) db_run_one_values((db), (err), (sql), DB_VALUES(__VA_ARGS__))
#define db_lock(db, err, sql, ...) db_lock_values((db), (err), (sql), DB_VALUES(__VA_ARGS__))

// Columns of the present row, from 0. A NULL reads as 0, NULL, nil. Text and bytes are copied into the arena;
// with no arena (NULL) they are the row's own, and valid only until the next row is read or the rows are
// closed. A value that none of our queries writes (another type, another length, a text with a NUL inside) is
// damage: it reads as 0, "" or nil, and from then on every query of the job fails, and so does the job
// (db_result).
int64_t db_i64(struct db_rows *rows, int column);
bool db_bool(struct db_rows *rows, int column);
int db_count(struct db_rows *rows, int column); // from 0 to 1,000,000,000
bool db_is_null(struct db_rows *rows, int column);
const char *db_text(struct db_rows *rows, int column, struct arena *arena);
const uint8_t *db_blob(struct db_rows *rows, int column, struct arena *arena, size_t *bytes);
struct uuid db_uuid(struct db_rows *rows, int column);
// Reads a blob of exactly this length into `out`; zeros if it is NULL or damaged.
void db_fixed(struct db_rows *rows, int column, void *out, size_t bytes);

// For queries that know more about what a column may hold: reports damage in it. ERR_STORE.
enum errc db_damaged(struct db_rows *rows, const char *column, struct err *err) MUST_CHECK;

// The result of a job that returned `rc`: ERR_STORE if it met damage, whatever it returned.
enum errc db_result(struct db *db, enum errc rc, struct err *err) MUST_CHECK;
// For a job that handles damage itself: whether it met any. Clears that.
bool db_take_damage(struct db *db);

// An id for rows that are read in the order of their ids, although the clock may have been set back since the
// last one. The column holds the highest id so far, or NULL: *id is the one after it, or `made` if that is
// higher.
enum errc db_id_after(struct db_rows *rows, int column, const struct uuid *made, struct uuid *id,
                      struct err *err) MUST_CHECK;
