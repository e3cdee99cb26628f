// See rows.h.
#include "rows.h"

#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "service.h"
#include "world.h"

#define QUERIES_MAX 64

// A query that was prepared, and waits for its next use.
struct query {
    const char *sql;
    sqlite3_stmt *statement;
};

static sqlite3 *database;
static struct query queries[QUERIES_MAX];
static size_t query_count;

void rows_close(sqlite3_stmt **statement)
{
    sqlite3_reset(*statement);
}

// Opens one connection for each start of the service: a crash breaks every connection.
bool rows_open(void)
{
    static int incarnation;
    if (!service.up || incarnation == service.incarnation) {
        return service.up;
    }
    const char *path = service_database();
    incarnation = service.incarnation;
    query_count = 0;
    REQUIRE(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK);
    return true;
}

static sqlite3_stmt *prepare(const char *sql)
{
    for (size_t i = 0; i < query_count; i++) {
        if (queries[i].sql == sql) {
            REQUIRE(!sqlite3_stmt_busy(queries[i].statement));
            return queries[i].statement;
        }
    }
    REQUIRE(query_count < QUERIES_MAX);
    struct query *query = &queries[query_count++];
    query->sql = sql;
    if (sqlite3_prepare_v2(database, sql, -1, &query->statement, NULL) != SQLITE_OK) {
        printf("%s\n%s\n", sqlite3_errmsg(database), sql);
        REQUIRE(false);
    }
    return query->statement;
}

sqlite3_stmt *rows_query(const char *sql)
{
    sqlite3_stmt *statement = prepare(sql);
    int now = sqlite3_bind_parameter_index(statement, ":now");
    REQUIRE(now == 0 || sqlite3_bind_int64(statement, now, service_wall_us()) == SQLITE_OK);
    return statement;
}

sqlite3_stmt *rows_of_id(const char *sql, const char *id)
{
    struct uuid uuid;
    REQUIRE(uuid_parse(id, &uuid));
    sqlite3_stmt *rows = rows_query(sql);
    REQUIRE(sqlite3_bind_blob(rows, 1, uuid.bytes, sizeof(uuid.bytes), SQLITE_TRANSIENT) == SQLITE_OK);
    return rows;
}

void rows_change(const char *sql)
{
    REQUIRE(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK);
}

int64_t rows_int64(const char *sql)
{
    ROWS rows = rows_query(sql);
    return sqlite3_step(rows) == SQLITE_ROW ? sqlite3_column_int64(rows, 0) : 0;
}

const char *rows_text(sqlite3_stmt *rows, int column)
{
    return (const char *)sqlite3_column_text(rows, column);
}

void rows_id(sqlite3_stmt *rows, int column, char out[UUID_TEXT_BYTES])
{
    struct uuid id = {{0}};
    REQUIRE(sqlite3_column_bytes(rows, column) == sizeof(id.bytes));
    memcpy(id.bytes, sqlite3_column_blob(rows, column), sizeof(id.bytes));
    uuid_format(&id, out);
}

void rows_expect_none(const char *what, const char *sql)
{
    ROWS rows = rows_query(sql);
    int rc = sqlite3_step(rows);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(rows)) {
        violation("%s: %s", what, rows_text(rows, 0));
    }
    if (rc != SQLITE_DONE) {
        violation("%s: %s", what, sqlite3_errmsg(database));
    }
}
