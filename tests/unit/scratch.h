// A directory of its own for a test that needs files, and the name of a database: a file in it or, if
// TEST_POSTGRESQL names a server, a schema there. Both are removed with everything in them.
#pragma once

#include "dialect.h"
#include "unit_test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/driver.h"

struct scratch {
    char directory[64];
    char path[128];     // of a database that does not exist yet
    char database[320]; // its name
};

// The name of its schema.
static inline const char *scratch_schema(const struct scratch *scratch)
{
    return strrchr(scratch->directory, '/') + strlen("/test-");
}

static inline void scratch_run_on_server(const char *database, const char *sql)
{
    const struct db_driver *driver = &postgres_driver;
    struct db *db = NULL;
    struct err err = {0};
    if (driver->open(database, true, &db, &err) != OK || driver->begin(db, true, &err) != OK ||
        driver->script(db, sql, &err) != OK || driver->commit(db, &err) != OK) {
        fail_msg("%s", err.message);
    }
    driver->close(db);
}

static inline void scratch_make_schema(struct scratch *scratch)
{
    const char *server = getenv("TEST_POSTGRESQL");
    char sql[64];
    snprintf(scratch->database, sizeof(scratch->database), "%s&options=-csearch_path%%3D%%22%s%%22", server,
             scratch_schema(scratch));
    snprintf(sql, sizeof(sql), "CREATE SCHEMA \"%s\"", scratch_schema(scratch));
    scratch_run_on_server(server, sql);
    scratch_run_on_server(scratch->database, dialect_functions);
}

static inline void scratch_make(struct scratch *scratch)
{
    const char *parent = getenv("TMPDIR");
    snprintf(scratch->directory, sizeof(scratch->directory), "%.40s/test-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(scratch->directory));
    snprintf(scratch->path, sizeof(scratch->path), "%s/test.db", scratch->directory);
    snprintf(scratch->database, sizeof(scratch->database), "sqlite:%s", scratch->path);
    if (getenv("TEST_POSTGRESQL") != NULL) {
        scratch_make_schema(scratch);
    }
}

// In a list of tests: this one is left out on PostgreSQL. `why` is for readers.
#define ONLY_SQLITE(why, ...)                                                                                \
    (getenv("TEST_POSTGRESQL") == NULL ? (struct CMUnitTest)__VA_ARGS__ : (struct CMUnitTest){0})

// The same on SQLite.
#define ONLY_POSTGRESQL(why, ...)                                                                            \
    (getenv("TEST_POSTGRESQL") != NULL ? (struct CMUnitTest)__VA_ARGS__ : (struct CMUnitTest){0})

static inline int scratch_remove_entry(const char *path, const struct stat *file, int type, struct FTW *walk)
{
    (void)file;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void scratch_remove(struct scratch *scratch)
{
    if (getenv("TEST_POSTGRESQL") != NULL) {
        char sql[64];
        snprintf(sql, sizeof(sql), "DROP SCHEMA \"%s\" CASCADE", scratch_schema(scratch));
        scratch_run_on_server(getenv("TEST_POSTGRESQL"), sql);
    }
    assert_int_equal(nftw(scratch->directory, scratch_remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline int scratch_setup(void **state)
{
    struct scratch *scratch = calloc(1, sizeof(*scratch));
    scratch_make(scratch);
    *state = scratch;
    return 0;
}

static inline int scratch_teardown(void **state)
{
    scratch_remove(*state);
    free(*state);
    return 0;
}
