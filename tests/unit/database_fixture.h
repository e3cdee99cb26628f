// For tests of queries without an engine: a database and one transaction open on it.
#pragma once

#include "database.h"

#include "base/arena.h"
#include "base/require.h"
#include "store/migrate.h"

struct fixture {
    struct scratch scratch;
    struct db *db;
    struct err err;
    struct arena arena;
    struct uuid merchant_id;
    int64_t made; // rows that the test has made so far
};

// A database with these tables, and no transaction.
static inline struct fixture *fixture_new(const char *tables)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    scratch_make(&f->scratch);
    f->merchant_id = (struct uuid){.bytes = {0x01, [15] = 1}};
    f->db = database_open(f->scratch.database, true);
    database_script(f->db, tables);
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    f->db->driver->close(f->db);
    arena_release(&f->arena);
    scratch_remove(&f->scratch);
    free(f);
}

// With the schema and a transaction.
static inline int setup(void **state)
{
    struct fixture *f = fixture_new("");
    assert_int_equal(migrate(f->db, &f->err), OK);
    database_begin(f->db, true);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    f->db->driver->rollback(f->db);
    fixture_free(f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
