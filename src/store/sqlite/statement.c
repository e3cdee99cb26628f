// The statements of one SQLite connection. Each SQL text is prepared once, then bound, stepped and reset. A
// statement in use is never handed out again: a second use of the same text at the same time gets a second
// statement. Literals are kept for good; of texts that were built at run time, those used last are kept. The
// thread that owns the connection.
#include "store/sqlite/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

#define PARAMETERS_MAX 64
// More than the program has SQL literals. Text that is built at run time would fill memory; it must go
// through sqlite_query_built or sqlite_query_once.
#define STATEMENTS_MAX 1024
// A list takes two or three. Preparing one costs 440,000 instructions, some 0.1 ms.
#define BUILT_MAX 64

enum lifetime {
    KEPT,  // in a bucket, until the connection is closed
    BUILT, // in the list `built`, until BUILT_MAX others were used since
    ONCE,  // finalized after its one use
};

struct sqlite_statement {
    struct sqlite_statement *next;
    sqlite3_stmt *stmt;
    bool in_use;
    bool once;     // in no list: finalized after its one use
    int steps_max; // 0: no limit
    size_t sql_bytes;
    size_t parameter_count;
    int parameters[PARAMETERS_MAX]; // SQLite's index of $1, $2 ...
};

// Hashes the literal's address: to hash 300 bytes of SQL would cost 0.4 µs a statement.
static size_t bucket_of(const char *sql)
{
    const uintptr_t address = (uintptr_t)sql;
    return (address ^ (address >> 8)) % SQLITE_STATEMENT_BUCKETS;
}

static struct sqlite_statement *find_idle(struct sqlite_statement *first, const char *sql)
{
    for (struct sqlite_statement *statement = first; statement; statement = statement->next) {
        if (!statement->in_use && strcmp(sqlite3_sql(statement->stmt), sql) == 0) {
            return statement;
        }
    }
    return NULL;
}

// SQLite numbers parameters in the order in which they first appear, whatever their names.
static void resolve_parameters(struct sqlite_statement *statement)
{
    statement->parameter_count = (size_t)sqlite3_bind_parameter_count(statement->stmt);
    REQUIRE(statement->parameter_count <= PARAMETERS_MAX);
    for (size_t i = 0; i < statement->parameter_count; i++) {
        char name[24];
        snprintf(name, sizeof(name), "$%zu", i + 1);
        statement->parameters[i] = sqlite3_bind_parameter_index(statement->stmt, name);
        REQUIRE(statement->parameters[i] > 0);
    }
}

// NULL: SQLite refuses the text.
static struct sqlite_statement *prepare(struct sqlite *sqlite, const char *sql, enum lifetime lifetime)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    unsigned flags = lifetime == ONCE ? 0 : SQLITE_PREPARE_PERSISTENT;
    if (sqlite3_prepare_v3(sqlite->handle, sql, -1, flags, &stmt, &tail) != SQLITE_OK) {
        return NULL;
    }
    REQUIRE(stmt && *tail == '\0'); // exactly one statement
    struct sqlite_statement *statement = calloc(1, sizeof(*statement));
    REQUIRE(statement);
    statement->stmt = stmt;
    statement->once = lifetime == ONCE;
    statement->sql_bytes = strlen(sql);
    resolve_parameters(statement);
    return statement;
}

static void end(struct sqlite_statement *statement)
{
    sqlite3_finalize(statement->stmt);
    free(statement);
}

// An idle statement for the text, from the kept ones or newly prepared. NULL: SQLite refuses the text.
static struct sqlite_statement *keep(struct sqlite *sqlite, const char *sql)
{
    struct sqlite_statement *statement = find_idle(sqlite->statements[bucket_of(sql)], sql);
    // The same text may have another address in another object file.
    for (size_t i = 0; i < SQLITE_STATEMENT_BUCKETS && !statement; i++) {
        statement = find_idle(sqlite->statements[i], sql);
    }
    if (statement) {
        return statement;
    }
    statement = prepare(sqlite, sql, KEPT);
    if (!statement) {
        return NULL;
    }
    REQUIRE(++sqlite->statement_count <= STATEMENTS_MAX);
    struct sqlite_statement **bucket = &sqlite->statements[bucket_of(sql)];
    statement->next = *bucket;
    *bucket = statement;
    return statement;
}

// Ends the statement whose last use is the oldest.
static void drop_one_built(struct sqlite *sqlite)
{
    struct sqlite_statement **oldest = NULL;
    for (struct sqlite_statement **at = &sqlite->built; *at; at = &(*at)->next) {
        oldest = (*at)->in_use ? oldest : at;
    }
    REQUIRE(oldest);
    struct sqlite_statement *dropped = *oldest;
    *oldest = dropped->next;
    sqlite->built_count--;
    end(dropped);
}

// As keep, for a text that was built at run time. Texts of different shapes nearly always differ in length,
// so few are compared.
static struct sqlite_statement *keep_built(struct sqlite *sqlite, const char *sql)
{
    const size_t bytes = strlen(sql);
    struct sqlite_statement **at = &sqlite->built;
    while (*at && ((*at)->in_use || (*at)->sql_bytes != bytes ||
                   memcmp(sqlite3_sql((*at)->stmt), sql, bytes) != 0)) {
        at = &(*at)->next;
    }
    struct sqlite_statement *statement = *at;
    if (statement) {
        *at = statement->next;
    } else {
        statement = prepare(sqlite, sql, BUILT);
        if (!statement) {
            return NULL;
        }
        sqlite->db.prepared_total++;
        if (++sqlite->built_count > BUILT_MAX) {
            drop_one_built(sqlite);
        }
    }
    statement->next = sqlite->built;
    sqlite->built = statement;
    return statement;
}

static struct sqlite_statement *statement_of(struct sqlite *sqlite, const char *sql, enum lifetime lifetime)
{
    switch (lifetime) {
    case KEPT:
        return keep(sqlite, sql);
    case BUILT:
        return keep_built(sqlite, sql);
    case ONCE:
        break;
    }
    return prepare(sqlite, sql, ONCE);
}

static enum errc bind(struct sqlite *sqlite, sqlite3_stmt *stmt, int index, const struct db_value *value,
                      struct err *err)
{
    int code = SQLITE_OK;
    switch (value->type) {
    case DB_NULL:
        code = sqlite3_bind_null(stmt, index);
        break;
    case DB_INT:
        code = sqlite3_bind_int64(stmt, index, value->integer);
        break;
    case DB_TEXT:
        code = sqlite3_bind_text(stmt, index, value->data, -1, SQLITE_STATIC);
        break;
    case DB_BLOB:
        code = sqlite3_bind_blob64(stmt, index, value->data, value->bytes, SQLITE_STATIC);
        break;
    case DB_FOREIGN:
        REQUIRE(!"a value that is only ever read");
        break;
    }
    return code == SQLITE_OK ? OK : sqlite_failed(sqlite, err);
}

// Takes a statement for the text, binds the values and marks it as in use.
static enum errc start(struct sqlite *sqlite, struct sqlite_statement **out, const char *sql,
                       enum lifetime lifetime, const struct db_value *values, size_t count, struct err *err)
{
    // Outside a transaction every statement would commit by itself.
    if (sqlite->in_transaction && sqlite3_get_autocommit(sqlite->handle)) {
        return err_set(err, ERR_STORE, "database: an earlier failure has ended the transaction");
    }
    struct sqlite_statement *statement = statement_of(sqlite, sql, lifetime);
    if (!statement) {
        return sqlite_failed(sqlite, err);
    }
    REQUIRE(count == statement->parameter_count);
    enum errc rc = OK;
    for (size_t i = 0; i < count && rc == OK; i++) {
        rc = bind(sqlite, statement->stmt, statement->parameters[i], &values[i], err);
    }
    if (rc == OK) {
        statement->in_use = true;
        statement->steps_max = 0;
        *out = statement;
    } else if (lifetime == ONCE) {
        end(statement);
    }
    return rc;
}

static void stop(struct sqlite_statement *statement)
{
    if (statement->once) {
        end(statement);
        return;
    }
    sqlite3_reset(statement->stmt); // returns the failure that the step already reported
    statement->in_use = false;
}

enum errc sqlite_control(struct sqlite *sqlite, const char *sql, struct err *err)
{
    struct sqlite_statement *statement = NULL;
    enum errc rc = start(sqlite, &statement, sql, KEPT, NULL, 0, err);
    if (rc != OK) {
        return rc;
    }
    if (sqlite3_step(statement->stmt) != SQLITE_DONE) {
        rc = sqlite_failed(sqlite, err);
    }
    stop(statement);
    return rc;
}

static enum errc query(struct db *db, struct db_rows *rows, const char *sql, enum lifetime lifetime,
                       const struct db_value *values, size_t count, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(db);
    REQUIRE(sqlite->in_transaction);
    struct sqlite_statement *statement = NULL;
    const enum errc rc = start(sqlite, &statement, sql, lifetime, values, count, err);
    if (rc == OK) {
        sqlite->rows_open++;
        rows->statement = statement;
    }
    return rc;
}

enum errc sqlite_query(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values,
                       size_t count, struct err *err)
{
    return query(db, rows, sql, KEPT, values, count, err);
}

enum errc sqlite_query_built(struct db *db, struct db_rows *rows, const char *sql,
                             const struct db_value *values, size_t count, struct err *err)
{
    return query(db, rows, sql, BUILT, values, count, err);
}

enum errc sqlite_query_once(struct db *db, struct db_rows *rows, const char *sql,
                            const struct db_value *values, size_t count, struct err *err)
{
    return query(db, rows, sql, ONCE, values, count, err);
}

void sqlite_limit(struct db_rows *rows, int steps)
{
    struct sqlite_statement *statement = rows->statement;
    (void)sqlite3_stmt_status(statement->stmt, SQLITE_STMTSTATUS_VM_STEP, 1); // counts from 0 again
    statement->steps_max = steps;
}

static int interrupt(void *unused)
{
    (void)unused;
    return 1;
}

// The limit holds for this statement alone, so it is set for this step alone.
static int step_within_limit(sqlite3 *handle, const struct sqlite_statement *statement)
{
    sqlite3_progress_handler(handle, statement->steps_max, interrupt, NULL);
    const int code = sqlite3_step(statement->stmt);
    sqlite3_progress_handler(handle, 0, NULL, NULL);
    return code;
}

enum errc sqlite_next(struct db_rows *rows, bool *has, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(rows->db);
    const struct sqlite_statement *statement = rows->statement;
    const bool is_limited = statement->steps_max > 0;
    const int code =
        is_limited ? step_within_limit(sqlite->handle, statement) : sqlite3_step(statement->stmt);
    rows->is_cut = is_limited && code == SQLITE_INTERRUPT;
    if (rows->is_cut) {
        *has = false;
        return OK;
    }
    *has = code == SQLITE_ROW;
    if (code == SQLITE_DONE) {
        sqlite->changed = sqlite3_stmt_readonly(statement->stmt) ? 0 : sqlite3_changes64(sqlite->handle);
    }
    if ((code & 0xff) == SQLITE_CORRUPT) {
        (void)snprintf(sqlite->db.damaged, sizeof(sqlite->db.damaged), "SQLite code %d", code);
    }
    return code == SQLITE_ROW || code == SQLITE_DONE ? OK : sqlite_failed(sqlite, err);
}

int sqlite_column_count(struct db_rows *rows)
{
    const struct sqlite_statement *statement = rows->statement;
    return sqlite3_data_count(statement->stmt);
}

// Reads through the value: sqlite3_column_* would look for the column and take the connection's mutex in each
// call. A connection has one thread, so the value may be read unprotected.
struct db_value sqlite_column(struct db_rows *rows, int column)
{
    const struct sqlite_statement *statement = rows->statement;
    REQUIRE(column >= 0 && column < sqlite3_data_count(statement->stmt));
    sqlite3_value *value = sqlite3_column_value(statement->stmt, column);
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        return DB_I64(sqlite3_value_int64(value));
    case SQLITE_TEXT: {
        const unsigned char *text = sqlite3_value_text(value);
        REQUIRE(text); // NULL only where memory ran out
        return (struct db_value){.type = DB_TEXT, .data = text, .bytes = (size_t)sqlite3_value_bytes(value)};
    }
    case SQLITE_BLOB: {
        const void *data = sqlite3_value_blob(value); // NULL where it is empty
        return DB_BYTES(data ? data : "", (size_t)sqlite3_value_bytes(value));
    }
    case SQLITE_NULL:
        return DB_NIL;
    default:
        return (struct db_value){.type = DB_FOREIGN};
    }
}

const char *sqlite_column_name(struct db_rows *rows, int column)
{
    const struct sqlite_statement *statement = rows->statement;
    const char *name = sqlite3_column_name(statement->stmt, column);
    REQUIRE(name); // NULL only where memory ran out
    return name;
}

void sqlite_close_rows(struct db_rows *rows)
{
    stop(rows->statement);
    sqlite_of(rows->db)->rows_open--;
}

static void end_all(struct sqlite_statement **first)
{
    while (*first) {
        struct sqlite_statement *statement = *first;
        *first = statement->next;
        end(statement);
    }
}

void sqlite_drop_statements(struct sqlite *sqlite)
{
    for (size_t i = 0; i < SQLITE_STATEMENT_BUCKETS; i++) {
        end_all(&sqlite->statements[i]);
    }
    end_all(&sqlite->built);
}
