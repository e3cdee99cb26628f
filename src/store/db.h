// One database connection as the queries see it: the same SQL text for SQLite and PostgreSQL ($1 parameters,
// ON CONFLICT, RETURNING), times as integer microseconds, ids as 16 bytes, JSON as text. One thread at a
// time. Blocking.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"

struct db;

struct db_value {
    enum { DB_NULL, DB_INT, DB_TEXT, DB_BLOB, DB_FOREIGN } type; // foreign: of a type that no table has
    int64_t integer;
    const void *data; // text: NUL-terminated
    size_t bytes;     // of a blob, and of a text that was read
};
#define DB_NIL ((struct db_value){.type = DB_NULL})
#define DB_I64(value) ((struct db_value){.type = DB_INT, .integer = (value)})
// A NULL pointer is SQL NULL; DB_BYTES("", 0) is an empty blob.
#define DB_STR(text) db_text_value(text)
#define DB_BYTES(data, bytes) db_bytes_value((data), (bytes))
#define DB_ID(uuid) db_id_value(uuid)

static inline struct db_value db_text_value(const char *text)
{
    return (struct db_value){.type = text ? DB_TEXT : DB_NULL, .data = text};
}

static inline struct db_value db_bytes_value(const void *data, size_t bytes)
{
    return (struct db_value){.type = data ? DB_BLOB : DB_NULL, .data = data, .bytes = bytes};
}

static inline struct db_value db_id_value(const struct uuid *id)
{
    return db_bytes_value(id ? id->bytes : NULL, sizeof(id->bytes));
}

// A statement under way. Declare with DB_ROWS so that it is reset at the end of its scope.
struct db_rows {
    struct db *db;
    void *statement;
};
#define DB_ROWS(name) __attribute__((cleanup(db_rows_close))) struct db_rows name = {0}
void db_rows_close(struct db_rows *rows);

// Starts a statement; `sql` must be a string literal (statements are kept by its text). Values are bound
// without copying: they must outlive the rows. ERR_STORE, ERR_STORE_BUSY, ERR_EXISTS may come here or from
// db_next.
enum errc db_query_values(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                          const struct db_value *values, size_t count) MUST_CHECK;
// The same for a text that was built for this use: it is prepared anew, and not kept.
enum errc db_query_once(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                        const struct db_value *values, size_t count) MUST_CHECK;
// The next row; *has is false behind the last.
enum errc db_next(struct db_rows *rows, bool *has, struct err *err) MUST_CHECK;

// Runs a statement to its end, rows ignored; *changed (may be NULL) is how many rows it changed.
// ERR_EXISTS: a unique constraint; ERR_STORE_BUSY: another process holds the database;
// ERR_STORE: anything else.
enum errc db_run_values(struct db *db, int64_t *changed, struct err *err, const char *sql,
                        const struct db_value *values, size_t count) MUST_CHECK;

#define DB_VALUES(...)                                                                                       \
    (const struct db_value[]){__VA_ARGS__},                                                                  \
        sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)
#define db_query(db, rows, err, sql, ...) db_query_values((db), (rows), (err), (sql), DB_VALUES(__VA_ARGS__))
#define db_run(db, changed, err, sql, ...)                                                                   \
    db_run_values((db), (changed), (err), (sql), DB_VALUES(__VA_ARGS__))

// Columns of the present row, from 0. A NULL reads as 0, NULL, nil. Text and bytes are copied into the arena.
// A value that no query of ours writes (another type, another length, a text with a NUL inside) is damage: it
// reads as 0, "" or nil, and from then on every query of the job fails, and so does the job (db_result).
int64_t db_i64(struct db_rows *rows, int column);
bool db_bool(struct db_rows *rows, int column);
int db_count(struct db_rows *rows, int column); // from 0 to 1,000,000,000
bool db_is_null(struct db_rows *rows, int column);
const char *db_text(struct db_rows *rows, int column, struct arena *arena);
const uint8_t *db_blob(struct db_rows *rows, int column, struct arena *arena, size_t *bytes);
struct uuid db_uuid(struct db_rows *rows, int column);
// A blob of exactly this length into `out`; zeros where it is NULL or damaged.
void db_fixed(struct db_rows *rows, int column, void *out, size_t bytes);

// For queries that know better what a column may hold: damage in it. ERR_STORE.
enum errc db_damaged(struct db_rows *rows, int column, struct err *err) MUST_CHECK;

// The result of a job that ended with `result`: ERR_STORE where it met damage, whatever it made of that.
enum errc db_result(struct db *db, enum errc result, struct err *err) MUST_CHECK;
// For a job whose business damage is: whether it met any, which is then forgotten.
bool db_take_damage(struct db *db);

// For rows that are told in the order of their ids, though the clock may have gone back since the last of
// them: `made`, or the id behind the one that the query found, where it found one from `made` on.
enum errc db_id_behind(struct db_rows *rows, const struct uuid *made, struct uuid *id,
                       struct err *err) MUST_CHECK;
