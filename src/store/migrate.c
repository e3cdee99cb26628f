// Brings a database's schema to this program's version. A step and the record that it was applied are one
// transaction: a crash leaves a whole number of steps, and the next start goes on from there. Programs that
// start at once take turns: each step's transaction begins with the record, whose key is unique, so of those
// that run the first step all but one wait there until that one has ended, and look again. For the later
// steps, which may take long, they wait without a transaction. Any thread.
#include "store/migrate.h"

#include <time.h>

#include "base/log.h"
#include "base/timefmt.h"
#include "store/driver.h"
#include "store/meta.h"
#include "store/schema.h"

#define LOOK_EVERY_MS 250
#define OTHER_NODE_HOURS_MAX 6
#define LOOKS_MAX (OTHER_NODE_HOURS_MAX * 3600 * 1000 / LOOK_EVERY_MS)

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
    if (version > known && steps == schema_steps && db->driver->is_shared) {
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

// What one transaction found.
enum found { FOUND_STEP, FOUND_ALL_APPLIED, FOUND_OTHER_NODE };

// Whoever runs a step has locked the record of the one before.
static enum errc find_other_node(struct db *db, int64_t version, bool *other, struct err *err)
{
    DB_ROWS(rows);
    bool locked = false;
    enum errc rc = db_first(db, &rows, &locked, err,
                            "SELECT 1 FROM schema_version WHERE version = $1" FREE_ONLY, DB_I64(version));
    *other = !locked;
    return rc;
}

// In a transaction. *version: before the step.
static enum errc apply_next(struct db *db, const char *const *steps, size_t count, int64_t *version,
                            enum found *found, struct err *err)
{
    bool other = false;
    enum errc rc =
        db_run(db, NULL, err, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)");
    if (rc == OK) {
        rc = read_version(db, version, err);
    }
    if (rc == OK) {
        rc = check_version(db, steps, count, *version, err);
    }
    if (rc == OK && *version >= (int64_t)count) {
        *found = FOUND_ALL_APPLIED;
        return OK;
    }
    if (rc == OK && *version > 0) {
        rc = find_other_node(db, *version, &other, err);
    }
    *found = other ? FOUND_OTHER_NODE : FOUND_STEP;
    if (rc != OK || other) {
        return rc;
    }
    rc = db_run(db, NULL, err, "INSERT INTO schema_version (version) VALUES ($1)", DB_I64(*version + 1));
    return rc == OK ? db->driver->script(db, step_of(db->driver, steps, *version), err) : rc;
}

static enum errc run_next(struct db *db, const char *const *steps, size_t count, int64_t *version,
                          enum found *found, struct err *err)
{
    enum errc rc = db->driver->begin(db, true, err);
    if (rc != OK) {
        return rc;
    }
    rc = apply_next(db, steps, count, version, found, err);
    if (rc == OK) {
        return db->driver->commit(db, err);
    }
    db->driver->rollback(db);
    return rc;
}

// A node that ends sets its locks free, so this waits only for one that is at it. *looks: so far.
static enum errc wait_for_other_node(int *looks, struct err *err)
{
    static const struct timespec time = {.tv_nsec = LOOK_EVERY_MS * US_PER_MS * 1000};
    if (++*looks > LOOKS_MAX) {
        return err_set(err, ERR_STORE_AWAY, "another node has been upgrading the schema for %d hours",
                       OTHER_NODE_HOURS_MAX);
    }
    if (*looks == 1) {
        LOG(LOG_WARN, "another node upgrades the schema: waiting for it");
    }
    (void)nanosleep(&time, NULL);
    return OK;
}

enum errc migrate_steps(struct db *db, const char *const *steps, size_t count, struct err *err)
{
    enum errc rc = OK;
    enum found found = FOUND_STEP;
    int64_t version = -1;
    int looks = 0;
    for (int tries = 0; rc == OK && found != FOUND_ALL_APPLIED;) {
        const int64_t before = version;
        found = FOUND_STEP;
        rc = run_next(db, steps, count, &version, &found, err);
        // Another program was faster, or works on the first step for longer than a lock is waited for.
        const bool again = db_lost_conflict(rc) || rc == ERR_STORE_AWAY;
        tries = again && version == before ? tries + 1 : 0;
        if (again && tries < db->driver->tries) {
            rc = OK;
            found = FOUND_STEP;
        } else if (rc == OK && found == FOUND_OTHER_NODE) {
            rc = wait_for_other_node(&looks, err);
        }
    }
    return rc;
}

enum errc migrate(struct db *db, struct err *err)
{
    return migrate_steps(db, schema_steps, schema_step_count, err);
}
