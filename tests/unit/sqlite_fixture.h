// What tests of the SQLite driver stand on: two tables, and one transaction open.
#pragma once

#include "scratch.h"

#include "store/sqlite.h"

struct fixture {
    struct scratch scratch;
    struct db *db;
    struct err err;
};

static inline void run(struct fixture *fixture, const char *sql)
{
    assert_int_equal(db_run(fixture->db, NULL, &fixture->err, sql), OK);
}

static inline void begin(struct fixture *fixture)
{
    assert_int_equal(fixture->db->driver->begin(fixture->db, true, &fixture->err), OK);
}

static inline void commit(struct fixture *fixture)
{
    assert_int_equal(fixture->db->driver->commit(fixture->db, &fixture->err), OK);
}

static inline int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    scratch_make(&fixture->scratch);
    assert_int_equal(sqlite_driver.open(fixture->scratch.database, true, &fixture->db, &fixture->err), OK);
    begin(fixture);
    run(fixture,
        "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE, bytes BLOB, size INTEGER) STRICT");
    run(fixture,
        "CREATE TABLE parts (thing INTEGER NOT NULL REFERENCES things(id) DEFERRABLE INITIALLY DEFERRED,"
        " size INTEGER CHECK (size > 0)) STRICT");
    commit(fixture);
    begin(fixture);
    *state = fixture;
    return 0;
}

// Every test leaves one transaction open.
static inline int teardown(void **state)
{
    struct fixture *fixture = *state;
    fixture->db->driver->rollback(fixture->db);
    fixture->db->driver->close(fixture->db);
    scratch_remove(&fixture->scratch);
    free(fixture);
    return 0;
}

static inline int64_t count_things(struct fixture *fixture)
{
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(db_query(fixture->db, &rows, &fixture->err, "SELECT count(*) FROM things"), OK);
    assert_int_equal(db_next(&rows, &has, &fixture->err), OK);
    assert_true(has);
    return db_i64(&rows, 0);
}

static inline void insert(struct fixture *fixture, int64_t id)
{
    assert_int_equal(
        db_run(fixture->db, NULL, &fixture->err, "INSERT INTO things (id) VALUES ($1)", DB_I64(id)), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
