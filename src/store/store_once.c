// The database for a program that does one thing and ends: no threads, and unless it must be alone no claim,
// so it works beside a running server. The calling thread.
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

static enum errc run_once(const char *database, bool write,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err)
{
    const struct db_driver *driver = NULL;
    __attribute__((cleanup(close_db))) struct db *db = NULL;
    enum errc result = db_driver_find(database, &driver, err);
    if (result == OK) {
        result = driver->open(database, true, &db, err);
    }
    if (result == OK) {
        result = migrate(db, err);
    }
    if (result == OK) {
        result = driver->begin(db, write, err);
    }
    if (result != OK) {
        return result;
    }
    result = db_result(db, run(db, context, err), err);
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
    return run_once(database, true, run, context, err);
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
    return result == OK ? run_once(database, true, run, context, err) : result;
}

enum errc store_read_once(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err)
{
    return run_once(database, false, run, context, err);
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

bool store_is_served(const char *database)
{
    const struct db_driver *driver = NULL;
    return db_driver_find(database, &driver, NULL) == OK && driver->is_claimed(database);
}
