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

// Several statements in a transaction of their own.
static inline void database_script(struct db *db, const char *sql)
{
    struct err err = {0};
    database_begin(db, true);
    if (db->driver->script(db, sql, &err) != OK) {
        fail_msg("%s", err.message);
    }
    database_commit(db);
}

// In the transaction that is open.
static inline void database_run(struct db *db, const char *sql)
{
    struct err err = {0};
    assert_int_equal(db_run(db, NULL, &err, sql), OK);
}

// The first column of the first row; -1: no row. In the transaction that is open.
static inline int64_t database_number(struct db *db, const char *sql)
{
    struct err err = {0};
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(db_query(db, &rows, &err, sql), OK);
    assert_int_equal(db_next(&rows, &has, &err), OK);
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
