// The database for a program that does one thing and ends: no threads, and unless it must be alone no claim,
// so it works beside a running server. That may be of an older version: only store_run_once changes the
// schema. The calling thread.
#include "store/store.h"

#include <unistd.h>

#include "store/driver.h"
#include "store/migrate.h"

static void close_db(struct db **db)
{
    if (*db) {
        (*db)->driver->close(*db);
    }
}

enum schema { SCHEMA_MIGRATES, SCHEMA_IS_THERE };

static enum errc run_once(const char *database, enum schema schema, bool write,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err)
{
    const struct db_driver *driver = NULL;
    __attribute__((cleanup(close_db))) struct db *db = NULL;
    enum errc result = db_driver_find(database, &driver, err);
    if (result == OK) {
        result = driver->open(database, true, &db, err);
    }
    if (result == OK && schema == SCHEMA_MIGRATES) {
        result = migrate(db, err);
    }
    if (result == OK) {
        result = driver->begin(db, write, err);
    }
    if (result != OK) {
        return result;
    }
    result = migrate_check(db, err);
    if (result == OK) {
        result = db_result(db, run(db, context, err), err);
    }
    if (result != OK) {
        driver->rollback(db);
        return result;
    }
    return driver->commit(db, err);
}

enum errc store_run_once(const char *database,
                         enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                         struct err *err)
{
    return run_once(database, SCHEMA_MIGRATES, true, run, context, err);
}

enum errc store_change_once(const char *database,
                            enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                            struct err *err)
{
    return run_once(database, SCHEMA_IS_THERE, true, run, context, err);
}

static void close_claim(int *claim)
{
    if (*claim >= 0) {
        close(*claim);
    }
}

enum errc store_run_alone(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err)
{
    const struct db_driver *driver = NULL;
    __attribute__((cleanup(close_claim))) int claim = -1;
    enum errc result = db_driver_find(database, &driver, err);
    if (result == OK) {
        result = driver->claim(database, &claim, err);
    }
    return result == OK ? run_once(database, SCHEMA_IS_THERE, true, run, context, err) : result;
}

enum errc store_read_once(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err)
{
    return run_once(database, SCHEMA_IS_THERE, false, run, context, err);
}

enum errc store_look_once(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err)
{
    const struct db_driver *driver = NULL;
    __attribute__((cleanup(close_db))) struct db *db = NULL;
    enum errc result = db_driver_find(database, &driver, err);
    if (result == OK) {
        result = driver->look(database, &db, err);
    }
    if (result == OK) {
        result = driver->begin(db, false, err);
    }
    if (result == OK) {
        result = run(db, context, err);
        driver->rollback(db);
    }
    return result;
}

enum errc store_check_unserved(const char *database, struct err *err)
{
    const struct db_driver *driver = NULL;
    const enum errc result = db_driver_find(database, &driver, err);
    return result == OK ? driver->check_unclaimed(database, err) : result;
}
