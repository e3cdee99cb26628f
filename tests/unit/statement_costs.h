// SQLite's plans for the statements that queries run, and their cost in steps of its machine.
#pragma once

#include "database.h"

#include "store/sqlite/sqlite.h"

#define STATEMENTS_MAX 64

static const char *statements[STATEMENTS_MAX]; // run since spy_begin
static size_t statement_count;

static inline enum errc spy_query(struct db *db, struct db_rows *rows, const char *sql,
                                  const struct db_value *values, size_t count, struct err *err)
{
    assert_true(statement_count < STATEMENTS_MAX);
    statements[statement_count++] = sql;
    return sqlite_driver.query(db, rows, sql, values, count, err);
}

static inline void spy_begin(struct db *db)
{
    static struct db_driver spy;
    spy = sqlite_driver;
    spy.query = spy_query;
    db->driver = &spy;
    statement_count = 0;
}

static inline void spy_end(struct db *db)
{
    db->driver = &sqlite_driver;
}

// Fails for each statement with a costly line in its plan.
static inline void assert_no_statement_is_costly(struct db *db, bool (*is_costly)(const char *detail))
{
    for (size_t i = 0; i < statement_count; i++) {
        char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", statements[i]);
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(sqlite3_prepare_v2(sqlite_of(db)->handle, explain, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *detail = (const char *)sqlite3_column_text(stmt, 3);
            if (is_costly(detail)) {
                fail_msg("%s: %s", detail, statements[i]);
            }
        }
        sqlite3_finalize(stmt);
        sqlite3_free(explain);
    }
}

static inline int count_step(void *steps)
{
    ++*(int64_t *)steps;
    return 0;
}

// Counts the steps of all statements until steps_end.
static inline void steps_begin(struct db *db, int64_t *steps)
{
    *steps = 0;
    sqlite3_progress_handler(sqlite_of(db)->handle, 1, count_step, steps);
}

static inline void steps_end(struct db *db)
{
    sqlite3_progress_handler(sqlite_of(db)->handle, 0, NULL, NULL);
}
