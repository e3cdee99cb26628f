// What the files of the PostgreSQL driver share: open.c opens connections to servers.c's servers, driver.c
// runs transactions, commit.c commits them, statement.c runs the statements in them, ahead.c keeps the
// answers to queries that were sent ahead, pipeline.c sends and reads them, rows.c holds their results,
// schema.c translates the schema, error.c says what went wrong. No file outside this folder includes this
// header or libpq-fe.h.
#pragma once

#include <libpq-fe.h>

#include "base/arena.h"
#include "store/driver.h"

// The types that our tables and expressions have, by their numbers in the server's catalogue (pg_type.dat).
enum {
    POSTGRES_BOOL = 16,
    POSTGRES_BYTEA = 17,
    POSTGRES_INT8 = 20,
    POSTGRES_INT4 = 23,
    POSTGRES_TEXT = 25,
};

#define POSTGRES_STATEMENT_BUCKETS 256
#define POSTGRES_PENDING_MAX 256 // commands that were sent and not yet read

struct postgres_statement; // in statement.c

// A service's connection is lost when the server says nothing for so long while an answer is due.
#define POSTGRES_SILENCE_MAX_MS 5000

enum postgres_command {
    POSTGRES_PREPARE,
    POSTGRES_RUN,
    POSTGRES_RUN_ONE, // changes one row
    POSTGRES_QUERY,
    POSTGRES_AHEAD,
    POSTGRES_COMMIT,
    POSTGRES_SYNC
};

struct postgres_ahead; // in ahead.c

struct postgres_pending {
    enum postgres_command command;
    struct postgres_statement *statement; // of a PREPARE
    struct postgres_ahead *ahead;         // of a query that was asked ahead
};

struct postgres {
    struct db db;
    const char *database;     // the URI
    PGconn *conn;             // NULL: none
    bool lost;                // nothing is sent or read any more; the next transaction connects anew
    int64_t connect_again_us; // monotonic; not before
    bool writable;
    atomic_int server;       // the number of the one that it last connected to, among those of the URI
    struct postgres *writer; // of the service whose connection this is; NULL: a command's
    int writer_connects;     // it had connected so often when this connection last followed it
    bool warned;             // by the server, since this was last cleared
    bool in_transaction; // we began one; a failed statement leaves it open, and it can only be rolled back
    int rows_open;
    struct postgres_pending pending[POSTGRES_PENDING_MAX]; // a ring
    size_t pending_first;
    size_t pending_count;
    struct postgres_ahead *ahead; // of this transaction; the last one asked is the first
    struct arena ahead_arena;
    struct err failure; // of the first command that failed since the last sync; OK: none
    bool refused;       // the server gave that failure as its answer, so that it did not commit
    int64_t changed;
    int64_t changed_total;
    int64_t changed_before; // the transaction began
    uint64_t names;         // of prepared statements, given so far
    struct postgres_statement *statements[POSTGRES_STATEMENT_BUCKETS];
    size_t built_count;
    struct postgres_statement *built; // of texts built at run time; the one used last is the first
};

static inline struct postgres *postgres_of(struct db *db)
{
    return (struct postgres *)db;
}

// servers.c: the servers that a URI names.
struct postgres_server {
    char host[256]; // "": as libpq finds it, like the others
    char hostaddr[64];
    char port[16];
};
int postgres_server_count(const char *uri); // at least 1
void postgres_server_of(const char *uri, int number, struct postgres_server *server);

// name.c
const char *postgres_name(const char *database, struct arena *arena);
// Whether the @ and / of a password are encoded. If not, a part of it is read as the host's name, and would
// be shown.
bool postgres_is_encoded(const char *uri);

// open.c
enum errc postgres_open(const char *database, bool writable, struct db **db, struct err *err) MUST_CHECK;
enum errc postgres_look(const char *database, struct db **db, struct err *err) MUST_CHECK;
void postgres_close(struct db *db);
void postgres_serve(struct db *db, struct db *writer);
// Connects anew if the connection is lost, four times a second at most. ERR_STORE_AWAY: it is not connected.
enum errc postgres_connected(struct postgres *postgres, struct err *err) MUST_CHECK;
void postgres_disconnect(struct postgres *postgres);
int64_t postgres_mono_us(void);

// driver.c
enum errc postgres_begin(struct db *db, bool write, struct err *err) MUST_CHECK;
// Runs the command, after whatever the server skips.
enum errc postgres_undo(struct postgres *postgres, const char *sql, struct err *err) MUST_CHECK;

// commit.c
enum errc postgres_commit(struct db *db, struct err *err) MUST_CHECK;
void postgres_rollback(struct db *db);

// statement.c
enum errc postgres_query(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values,
                         size_t count, struct err *err) MUST_CHECK;
enum errc postgres_query_built(struct db *db, struct db_rows *rows, const char *sql,
                               const struct db_value *values, size_t count, struct err *err) MUST_CHECK;
enum errc postgres_query_once(struct db *db, struct db_rows *rows, const char *sql,
                              const struct db_value *values, size_t count, struct err *err) MUST_CHECK;
// Sends a statement whose result nobody needs. It may fail later: the next read says so.
enum errc postgres_run(struct db *db, const char *sql, const struct db_value *values, size_t count,
                       struct err *err) MUST_CHECK;
// The same for a statement that changes exactly one row.
enum errc postgres_run_one(struct db *db, const char *sql, const struct db_value *values, size_t count,
                           struct err *err) MUST_CHECK;
// The same for a statement that only locks rows.
enum errc postgres_lock(struct db *db, const char *sql, const struct db_value *values, size_t count,
                        struct err *err) MUST_CHECK;
// Sends a command without parameters or rows: BEGIN, SAVEPOINT ...
enum errc postgres_control(struct postgres *postgres, enum postgres_command command, const char *sql,
                           struct err *err) MUST_CHECK;
// The statement's PREPARE was answered.
void postgres_statement_prepared(struct postgres *postgres, struct postgres_statement *statement, bool done);
// Forgets the statements: a new connection does not have them.
void postgres_forget_statements(struct postgres *postgres);

// ahead.c
// A query that is being asked ahead, by db.asker.
struct postgres_ahead *postgres_ahead_new(struct postgres *postgres, const char *sql,
                                          const struct db_value *values, size_t count);
// Takes the answer.
void postgres_ahead_answered(struct postgres_ahead *ahead, PGresult *answer);
// What db.asker asked ahead and did not take yet. NULL: nothing like this.
struct postgres_ahead *postgres_ahead_find(struct postgres *postgres, const char *sql,
                                           const struct db_value *values, size_t count);
bool postgres_ahead_is_read(const struct postgres_ahead *ahead);
// The answer is the caller's from now on. NULL: it was not read.
PGresult *postgres_ahead_take(struct postgres_ahead *ahead);
void postgres_forget_asked(struct db *db);
// No command that was asked ahead is pending.
void postgres_ahead_end(struct postgres *postgres);

// rows.c
// The rows own the result from now on.
void postgres_rows_take(struct postgres *postgres, struct db_rows *rows, PGresult *result);
enum errc postgres_next(struct db_rows *rows, bool *has, struct err *err) MUST_CHECK;
int postgres_column_count(struct db_rows *rows);
struct db_value postgres_column(struct db_rows *rows, int column);
const char *postgres_column_name(struct db_rows *rows, int column);
void postgres_close_rows(struct db_rows *rows);

// pipeline.c
// Notes a command that was handed to libpq.
void postgres_pipeline_sent(struct postgres *postgres, enum postgres_command command,
                            struct postgres_statement *statement);
// The command that was sent last.
struct postgres_pending *postgres_pipeline_last(struct postgres *postgres);
// Reads all answers. *rows: of the last command, if that is a QUERY; the caller clears it. The first failure
// since the last sync.
enum errc postgres_pipeline_read(struct postgres *postgres, PGresult **rows, struct err *err) MUST_CHECK;
// The same, and ends the failure: the server takes commands again.
enum errc postgres_pipeline_sync(struct postgres *postgres, struct err *err) MUST_CHECK;

// schema.c
extern const struct schema_change postgres_schema_changes[];
// Whether the statement changes a table whose rows are kept (kept_rows.h), so that a trigger advances the
// generation.
bool postgres_advances_generation(const char *sql);
// The script of a schema step in PostgreSQL's words. The arena owns it.
const char *postgres_script_of(struct arena *arena, const char *script);

// error.c
// Fills *err from a result, or from the connection if there is none (NULL), and notes if the connection is
// lost. ERR_EXISTS, ERR_STORE, ERR_STORE_BUSY or ERR_STORE_AWAY.
enum errc postgres_failed(struct postgres *postgres, const PGresult *result, struct err *err);
// Whether a transaction with this failed result cannot have been committed. is_commit: of its COMMIT.
bool postgres_is_definite(const PGresult *result, bool is_commit);
