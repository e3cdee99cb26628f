// The database for a command that does one thing and ends. There are no threads, and only store_run_alone
// claims the database, so the others work beside a running server. That server may be an older version: only
// store_run_once changes the schema. The calling thread.
#include "store/store.h"

#include <string.h>
#include <unistd.h>

#include "store/driver.h"
#include "store/meta.h"
#include "store/migrate.h"
#include "store/nodes.h"

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
    enum errc rc = db_driver_find(database, &driver, err);
    if (rc == OK) {
        rc = driver->open(database, true, &db, err);
    }
    if (rc == OK && schema == SCHEMA_MIGRATES) {
        rc = migrate(db, err);
    }
    if (rc == OK) {
        rc = driver->begin(db, write, err);
    }
    if (rc != OK) {
        return rc;
    }
    rc = migrate_check(db, err);
    if (rc == OK) {
        rc = db_result(db, run(db, context, err), err);
    }
    if (rc != OK) {
        driver->rollback(db);
        return rc;
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

const char *store_file(const char *database)
{
    const struct db_driver *driver = NULL;
    const bool known = db_driver_find(database, &driver, NULL) == OK;
    return known && !driver->is_shared ? database + strlen(driver->prefix) : NULL;
}

bool store_knows(const char *database)
{
    const struct db_driver *driver = NULL;
    return db_driver_find(database, &driver, NULL) == OK;
}

const char *store_name(const char *database, struct arena *arena)
{
    const struct db_driver *driver = NULL;
    return db_driver_find(database, &driver, NULL) == OK ? driver->name(database, arena) : "";
}

static enum errc look_for_schema(struct db *db, void *context, struct err *err)
{
    bool *found = context;
    int64_t version = 0;
    const enum errc rc = migrate_look(db, &version, err);
    *found = version > 0;
    return rc;
}

enum errc store_exists(const char *database, bool *exists, struct err *err)
{
    *exists = false;
    const struct db_driver *driver = NULL;
    const enum errc rc = db_driver_find(database, &driver, err);
    if (rc != OK) {
        return rc;
    }
    return driver->is_shared ? store_look_once(database, look_for_schema, exists, err)
                             : driver->file_holds(database, exists, err);
}

static void close_claim(int *claim)
{
    if (*claim >= 0) {
        close(*claim);
    }
}

struct alone {
    enum errc (*run)(struct db *db, void *context, struct err *err);
    void *context;
};

static enum errc refuse_nodes(struct db *db, struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *name = "";
    enum errc rc = nodes_find_alive(db, &arena, &name, err);
    return rc != OK || name[0] == '\0'
               ? rc
               : err_set(err, ERR_CONFIG, "another paymentsd is serving this database (%s)", name);
}

// A node registers, and then checks its keys. So it is found here, or it finds the keys locked, and then
// changed.
static enum errc run_without_nodes(struct db *db, void *context, struct err *err)
{
    const struct alone *alone = context;
    enum errc rc = meta_lock_keys(db, err);
    if (rc == OK) {
        rc = refuse_nodes(db, err);
    }
    return rc == OK ? alone->run(db, alone->context, err) : rc;
}

enum errc store_run_alone(const char *database,
                          enum errc (*run)(struct db *db, void *context, struct err *err), void *context,
                          struct err *err)
{
    const struct db_driver *driver = NULL;
    __attribute__((cleanup(close_claim))) int claim = -1;
    enum errc rc = db_driver_find(database, &driver, err);
    if (rc == OK && driver->is_shared) {
        struct alone alone = {run, context};
        return run_once(database, SCHEMA_IS_THERE, true, run_without_nodes, &alone, err);
    }
    if (rc == OK) {
        rc = driver->claim(database, &claim, err);
    }
    return rc == OK ? run_once(database, SCHEMA_IS_THERE, true, run, context, err) : rc;
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
    enum errc rc = db_driver_find(database, &driver, err);
    if (rc == OK) {
        rc = driver->look(database, &db, err);
    }
    if (rc == OK) {
        rc = driver->begin(db, false, err);
    }
    if (rc == OK) {
        rc = run(db, context, err);
        driver->rollback(db);
    }
    return rc;
}

enum errc store_check_unserved(const char *database, struct err *err)
{
    const struct db_driver *driver = NULL;
    const enum errc rc = db_driver_find(database, &driver, err);
    return rc == OK && !driver->is_shared ? driver->check_unclaimed(database, err) : rc;
}

enum errc store_backup(const char *database, const char *path, struct err *err)
{
    const struct db_driver *driver = NULL;
    const enum errc rc = db_driver_find(database, &driver, err);
    if (rc != OK) {
        return rc;
    }
    return driver->backup != NULL
               ? driver->backup(database, path, err)
               : err_set(err, ERR_CONFIG, "backup copies only SQLite databases: use pg_dump");
}
