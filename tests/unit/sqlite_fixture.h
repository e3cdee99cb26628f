// For tests of the SQLite driver: two tables and one open transaction. Every test leaves one open.
#pragma once

#include "database_fixture.h"

#include "store/sqlite/sqlite.h"

static inline void run(struct fixture *f, const char *sql)
{
    database_run(f->db, sql);
}

static inline int setup_things(void **state)
{
    struct fixture *f = fixture_new(
        "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE, bytes BLOB, size INTEGER) STRICT;"
        "CREATE TABLE parts (thing INTEGER NOT NULL REFERENCES things(id) DEFERRABLE INITIALLY DEFERRED,"
        " size INTEGER CHECK (size > 0)) STRICT;");
    database_begin(f->db, true);
    *state = f;
    return 0;
}

static inline int64_t count_things(struct db *db)
{
    return database_number(db, "SELECT count(*) FROM things");
}

static inline void insert(struct fixture *f, int64_t id)
{
    assert_int_equal(db_run(f->db, NULL, &f->err, "INSERT INTO things (id) VALUES ($1)", DB_I64(id)), OK);
}

#define THINGS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_things, teardown)
