// For tests of copies: databases with the schema and nothing in it, and the mark that a copy leaves in each.
#pragma once

#include "database.h"

#include "store/copy.h"
#include "store/store.h"

static inline enum errc copy_do_nothing(struct db *db, void *context, struct err *err)
{
    (void)db;
    (void)context;
    (void)err;
    return OK;
}

static inline void make_database(const char *database)
{
    struct err err = {0};
    if (store_run_once(database, copy_do_nothing, NULL, &err) != OK) {
        fail_msg("%s", err.message);
    }
}

static inline struct copy_mark mark_of(const char *database)
{
    struct err err = {0};
    struct copy_mark mark;
    struct db *db = database_open(database, false);
    database_begin(db, false);
    assert_int_equal(copy_mark_get(db, &mark, &err), OK);
    db->driver->rollback(db);
    db->driver->close(db);
    return mark;
}

static inline enum copy_role role_of(const char *database)
{
    return mark_of(database).role;
}
