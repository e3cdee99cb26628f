// What the files of the SQLite driver share: sqlite_open.c makes connections, sqlite_claim.c keeps a second
// server away, sqlite.c runs transactions, sqlite_statement.c the statements in them, sqlite_functions.c adds
// to their SQL, sqlite_error.c says what went wrong. Beside them only backup.c includes this.
#pragma once

#include <limits.h>
#include <sqlite3.h>

#include "store/driver.h"

#define SQLITE_STATEMENT_BUCKETS 256

struct sqlite_statement; // in sqlite_statement.c

struct sqlite {
    struct db db;
    sqlite3 *handle;
    bool writable;
    bool in_transaction; // as begun by us; SQLite may have ended it by itself (disk full, I/O error)
    int rows_open;
    int wal_pages; // in the write-ahead log after our last commit
    int64_t changed;
    size_t statement_count;
    struct sqlite_statement *statements[SQLITE_STATEMENT_BUCKETS];
};

static inline struct sqlite *sqlite_of(struct db *db)
{
    return (struct sqlite *)db;
}

// sqlite_open.c
enum errc sqlite_open_db(const char *database, bool writable, struct db **db, struct err *err) MUST_CHECK;
enum errc sqlite_look(const char *database, struct db **db, struct err *err) MUST_CHECK;
void sqlite_close_db(struct db *db);
// ERR_CONFIG where others than its owner may read the file, or the log beside it.
enum errc sqlite_check_private(const char *path, struct err *err) MUST_CHECK;
// Why the file cannot be opened (SQLite's primary code), as far as the file system tells; else the reason
// given. ERR_CONFIG.
enum errc sqlite_unusable(int code, const char *path, const char *reason, struct err *err);
// The file of a database's name. ERR_CONFIG.
enum errc sqlite_path(const char *database, char path[PATH_MAX], struct err *err) MUST_CHECK;

// sqlite_claim.c
enum errc sqlite_claim(const char *database, int *claim, struct err *err) MUST_CHECK;
enum errc sqlite_check_unclaimed(const char *database, struct err *err) MUST_CHECK;
enum errc sqlite_in_place(const char *database, int claim, struct err *err) MUST_CHECK;

// sqlite_statement.c
enum errc sqlite_query(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values,
                       size_t count, struct err *err) MUST_CHECK;
enum errc sqlite_query_once(struct db *db, struct db_rows *rows, const char *sql,
                            const struct db_value *values, size_t count, struct err *err) MUST_CHECK;
enum errc sqlite_next(struct db_rows *rows, bool *has, struct err *err) MUST_CHECK;
struct db_value sqlite_column(struct db_rows *rows, int column);
const char *sqlite_column_name(struct db_rows *rows, int column);
void sqlite_close_rows(struct db_rows *rows);
// Runs BEGIN, COMMIT, SAVEPOINT ...
enum errc sqlite_steer(struct sqlite *sqlite, const char *sql, struct err *err) MUST_CHECK;
void sqlite_drop_statements(struct sqlite *sqlite);

// sqlite_functions.c
bool sqlite_add_functions(sqlite3 *handle);

// sqlite_error.c: fills *err from the connection's last failure. ERR_EXISTS, ERR_STORE or
// ERR_STORE_BUSY.
enum errc sqlite_failed(const struct sqlite *sqlite, struct err *err);
