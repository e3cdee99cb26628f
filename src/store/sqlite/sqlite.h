// What the files of the SQLite driver share: open.c opens connections, file.c looks at the file before,
// server_lock.c keeps a second server out, log_file.c gathers writes to the log, driver.c runs transactions,
// statement.c runs the statements in them, functions.c adds SQL functions, backup.c copies a database,
// error.c says what went wrong. No file outside this folder includes this header or sqlite3.h.
#pragma once

#include <limits.h>
#include <sqlite3.h>

#include "store/driver.h"

#define SQLITE_STATEMENT_BUCKETS 256

struct sqlite_statement; // in statement.c

struct sqlite {
    struct db db;
    sqlite3 *handle;
    bool writable;
    bool in_transaction; // we began one; SQLite may have ended it by itself (disk full, I/O error)
    int rows_open;
    int wal_pages; // in the write-ahead log after our last commit
    int64_t changed;
    size_t statement_count;
    struct sqlite_statement *statements[SQLITE_STATEMENT_BUCKETS];
    size_t built_count;
    struct sqlite_statement *built; // of texts built at run time; the one used last is the first
};

static inline struct sqlite *sqlite_of(struct db *db)
{
    return (struct sqlite *)db;
}

// open.c
enum errc sqlite_open_db(const char *database, bool writable, struct db **db, struct err *err) MUST_CHECK;
enum errc sqlite_look(const char *database, struct db **db, struct err *err) MUST_CHECK;
void sqlite_close_db(struct db *db);
// ERR_CONFIG: other users may read the file or its write-ahead log, or the file has a second name.
enum errc sqlite_check_private(const char *path, struct err *err) MUST_CHECK;
// Says why the file cannot be opened: what the file system tells for SQLite's primary code, or else the given
// reason. ERR_CONFIG.
enum errc sqlite_unusable(int code, const char *path, const char *reason, struct err *err);
// The path of the database's file. ERR_CONFIG: the name has none, or it is too long.
enum errc sqlite_path(const char *database, char path[PATH_MAX], struct err *err) MUST_CHECK;

// file.c
enum errc sqlite_file_holds(const char *database, bool *holds, struct err *err) MUST_CHECK;
const char *sqlite_name(const char *database, struct arena *arena);

// server_lock.c
enum errc sqlite_claim(const char *database, int *claim, struct err *err) MUST_CHECK;
enum errc sqlite_check_unclaimed(const char *database, struct err *err) MUST_CHECK;
enum errc sqlite_in_place(const char *database, int claim, struct err *err) MUST_CHECK;

// statement.c
enum errc sqlite_query(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values,
                       size_t count, struct err *err) MUST_CHECK;
enum errc sqlite_query_built(struct db *db, struct db_rows *rows, const char *sql,
                             const struct db_value *values, size_t count, struct err *err) MUST_CHECK;
enum errc sqlite_query_once(struct db *db, struct db_rows *rows, const char *sql,
                            const struct db_value *values, size_t count, struct err *err) MUST_CHECK;
enum errc sqlite_next(struct db_rows *rows, bool *has, struct err *err) MUST_CHECK;
void sqlite_limit(struct db_rows *rows, int steps);
int sqlite_column_count(struct db_rows *rows);
struct db_value sqlite_column(struct db_rows *rows, int column);
const char *sqlite_column_name(struct db_rows *rows, int column);
void sqlite_close_rows(struct db_rows *rows);
// Runs a statement without parameters or rows: BEGIN, COMMIT, SAVEPOINT ...
enum errc sqlite_control(struct sqlite *sqlite, const char *sql, struct err *err) MUST_CHECK;
void sqlite_drop_statements(struct sqlite *sqlite);

// log_file.c: the name of the file system that gathers writes to the log. Registers it at first.
const char *sqlite_log_vfs(void);
// Drops what a transaction has gathered. Call it after each that did not commit.
void sqlite_log_forget(struct sqlite *sqlite);

// functions.c: adds our SQL functions to a connection. False: SQLite refused.
bool sqlite_add_functions(sqlite3 *handle);

// backup.c
enum errc sqlite_backup(const char *database, const char *path, struct err *err) MUST_CHECK;

// error.c: fills *err from the connection's last failure. ERR_EXISTS, ERR_STORE or ERR_STORE_BUSY.
enum errc sqlite_failed(const struct sqlite *sqlite, struct err *err);
