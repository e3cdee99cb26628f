// Brings a database's schema to this program's version. A step and the record that it was applied are one
// transaction: a crash leaves a whole number of steps, and the next start goes on from there. Programs that
// start at once take turns: each step's transaction begins with the record, whose key is unique, so all but
// one wait there until that one has ended, and look again. Any thread.
#include "store/migrate.h"

#include "store/driver.h"
#include "store/meta.h"
#include "store/schema.h"

// Prepared anew: before the first step there is no such table.
static enum errc read_version(struct db *db, int64_t *version, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_query_once(db, &rows, err, "SELECT max(version) FROM schema_version", NULL, 0);
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK) {
        *version = db_count(&rows, 0);
        rc = db_result(db, OK, err);
    }
    return rc;
}

static enum errc has_version(struct db *db, bool *has, struct err *err)
{
    DB_ROWS(rows);
    const struct db_value name = DB_STR("schema_version");
    const enum errc rc = db_query_once(db, &rows, err, db->driver->table_exists, &name, 1);
    return rc == OK ? db_next(&rows, has, err) : rc;
}

// Nodes are upgraded one after the other, so one may find the schema of a newer program. It may use that if
// no step since its own has said that it may not.
static enum errc check_version(struct db *db, const char *const *steps, size_t count, int64_t version,
                               struct err *err)
{
    const int64_t known = (int64_t)count;
    int64_t oldest = version;
    enum errc rc = OK;
    if (version > known && steps == schema_steps && db->driver->claim == NULL) {
        rc = meta_oldest_schema_get(db, &oldest, err);
    }
    return rc != OK || oldest <= known
               ? rc
               : err_set(err, ERR_CONFIG,
                         "the database belongs to a newer paymentsd: its schema is version %lld, this "
                         "program's is %lld",
                         (long long)version, (long long)known);
}

enum errc migrate_look(struct db *db, int64_t *version, struct err *err)
{
    *version = 0;
    bool begun = false;
    enum errc rc = has_version(db, &begun, err);
    if (rc == OK && begun) {
        rc = read_version(db, version, err);
    }
    return rc == OK ? check_version(db, schema_steps, schema_step_count, *version, err) : rc;
}

enum errc migrate_check(struct db *db, struct err *err)
{
    int64_t version = 0;
    const enum errc rc = migrate_look(db, &version, err);
    if (rc != OK || version >= (int64_t)schema_step_count) {
        return rc;
    }
    return err_set(err, ERR_CONFIG,
                   "the database's schema is version %lld, this program's is %zu: stop the service, then run "
                   "paymentsd migrate",
                   (long long)version, schema_step_count);
}

static const char *step_of(const struct db_driver *driver, const char *const *steps, int64_t version)
{
    if (steps == schema_steps && driver->schema_changes != NULL) {
        for (const struct schema_change *change = driver->schema_changes; change->script != NULL; change++) {
            if ((int64_t)change->version == version + 1) {
                return change->script;
            }
        }
    }
    return steps[version];
}

// In a transaction. *version: before the step. *done: nothing is missing.
static enum errc apply_next(struct db *db, const char *const *steps, size_t count, int64_t *version,
                            bool *done, struct err *err)
{
    enum errc rc =
        db_run(db, NULL, err, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)");
    if (rc == OK) {
        rc = read_version(db, version, err);
    }
    if (rc == OK) {
        rc = check_version(db, steps, count, *version, err);
    }
    if (rc != OK) {
        return rc;
    }
    *done = *version >= (int64_t)count;
    if (*done) {
        return OK;
    }
    rc = db_run(db, NULL, err, "INSERT INTO schema_version (version) VALUES ($1)", DB_I64(*version + 1));
    return rc == OK ? db->driver->script(db, step_of(db->driver, steps, *version), err) : rc;
}

enum errc migrate_steps(struct db *db, const char *const *steps, size_t count, struct err *err)
{
    enum errc rc = OK;
    bool done = false;
    int64_t version = -1;
    for (int tries = 0; rc == OK && !done;) {
        const int64_t before = version;
        rc = db->driver->begin(db, true, err);
        if (rc != OK) {
            return rc;
        }
        rc = apply_next(db, steps, count, &version, &done, err);
        if (rc == OK) {
            rc = db->driver->commit(db, err);
        } else {
            db->driver->rollback(db);
        }
        // Another program was faster, or works on the same step for longer than a lock is waited for.
        const bool again = db_lost_conflict(rc) || rc == ERR_STORE_AWAY;
        tries = again && version == before ? tries + 1 : 0;
        rc = again && tries < db->driver->tries ? OK : rc;
    }
    return rc;
}

enum errc migrate(struct db *db, struct err *err)
{
    return migrate_steps(db, schema_steps, schema_step_count, err);
}
