// A directory of its own for a test that needs files, and the name of a database in it. It is removed with
// everything in it.
#pragma once

#include "unit_test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
    char directory[64];
    char path[128];     // of a database that does not exist yet
    char database[320]; // its name
};

// On the server that TEST_POSTGRESQL names: a schema of its own.
static inline void scratch_make_schema(struct scratch *scratch)
{
    const char *name = strrchr(scratch->directory, '/') + strlen("/test-");
    char command[512];
    snprintf(command, sizeof(command), "psql -qX -d '%s' -c 'CREATE SCHEMA \"%s\"'",
             getenv("TEST_POSTGRESQL"), name);
    assert_int_equal(system(command), 0);
    snprintf(scratch->database, sizeof(scratch->database), "%s&options=-csearch_path%%3D%%22%s%%22",
             getenv("TEST_POSTGRESQL"), name);
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

static inline int scratch_remove_entry(const char *path, const struct stat *file, int type, struct FTW *walk)
{
    (void)file;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void scratch_remove(struct scratch *scratch)
{
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
