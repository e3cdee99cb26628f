// A database of the test's own: opened, written and read in one line.
#pragma once

#include "scratch.h"

#include "store/db.h"
#include "store/driver.h"

// A connection without a schema. The caller closes it.
static inline struct db *database_open(const char *database, bool writable)
{
    struct db *db = NULL;
    struct err err = {0};
    const struct db_driver *driver = NULL;
    assert_int_equal(db_driver_find(database, &driver, &err), OK);
    if (driver->open(database, writable, &db, &err) != OK) {
        fail_msg("%s", err.message);
    }
    return db;
}

static inline void database_begin(struct db *db, bool writes)
{
    struct err err = {0};
    assert_int_equal(db->driver->begin(db, writes, &err), OK);
}

static inline void database_commit(struct db *db)
{
    struct err err = {0};
    assert_int_equal(db->driver->commit(db, &err), OK);
}

// Statements in the transaction that is open.
static inline void database_run(struct db *db, const char *sql)
{
    struct err err = {0};
    char *text = dialect_of(db, sql);
    if (db->driver->script(db, text, &err) != OK) {
        fail_msg("%s: %s", err.message, text);
    }
    free(text);
}

// The same with parameters.
static inline void database_run_values(struct db *db, const char *sql, const struct db_value *values,
                                       size_t count)
{
    struct err err = {0};
    DB_ROWS(rows);
    bool has = false;
    char *text = dialect_of(db, sql);
    if (db_query_once(db, &rows, &err, text, values, count) != OK || db_next(&rows, &has, &err) != OK) {
        fail_msg("%s: %s", err.message, text);
    }
    free(text);
}

// What a call comes to once the database has run its statements. Undoes them.
#define DATABASE_UNDONE(DB, CALL, ERR)                                                                       \
    ({                                                                                                       \
        struct db *const undone = (DB);                                                                      \
        assert_int_equal(undone->driver->savepoint(undone, (ERR)), OK);                                      \
        enum errc undone_rc = (CALL);                                                                        \
        if (undone_rc == OK && undone->driver->is_shared) {                                                  \
            undone_rc = undone->driver->settle(undone, (ERR));                                               \
        }                                                                                                    \
        assert_int_equal(undone->driver->rollback_to(undone, (ERR)), OK);                                    \
        undone_rc;                                                                                           \
    })

// In a transaction of their own.
static inline void database_script(struct db *db, const char *sql)
{
    database_begin(db, true);
    database_run(db, sql);
    database_commit(db);
}

// The first column of the first row; -1: no row. In the transaction that is open.
static inline int64_t database_number(struct db *db, const char *sql)
{
    struct err err = {0};
    DB_ROWS(rows);
    bool has = false;
    char *text = dialect_of(db, sql);
    if (db_query_once(db, &rows, &err, text, NULL, 0) != OK || db_next(&rows, &has, &err) != OK) {
        fail_msg("%s: %s", err.message, text);
    }
    free(text);
    return has ? db_i64(&rows, 0) : -1;
}

// The same in a transaction of its own, so only committed rows count.
static inline int64_t database_committed_number(struct db *db, const char *sql)
{
    database_begin(db, false);
    int64_t number = database_number(db, sql);
    db->driver->rollback(db);
    return number;
}
