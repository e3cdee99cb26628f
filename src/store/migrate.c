// Brings a database's schema to this program's version. A step and the note that it was applied are one
// transaction, so a crash leaves a whole number of steps and the next start goes on from there; two programs
// that start at once take turns. Any thread.
#include "store/migrate.h"

#include "store/driver.h"
#include "store/schema.h"

#define VERSION_SQL "SELECT max(version) FROM schema_version"

static enum errc read_number(struct db *db, const char *sql, int64_t *number, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc result = db_query_once(db, &rows, err, sql, NULL, 0);
    if (result == OK) {
        result = db_next(&rows, &has, err);
    }
    if (result == OK) {
        *number = db_count(&rows, 0);
        result = db_result(db, OK, err);
    }
    return result;
}

static enum errc read_version(struct db *db, int64_t *version, struct err *err)
{
    enum errc result =
        db_run(db, NULL, err, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)");
    return result == OK ? read_number(db, VERSION_SQL, version, err) : result;
}

static enum errc check_version(int64_t version, size_t count, struct err *err)
{
    const int64_t known = (int64_t)count;
    return version <= known
               ? OK
               : err_set(err, ERR_CONFIG,
                         "the database belongs to a newer paymentsd: its schema is version %lld, this "
                         "program's is %lld",
                         (long long)version, (long long)known);
}

enum errc migrate_look(struct db *db, int64_t *version, struct err *err)
{
    int64_t begun = 0;
    *version = 0;
    enum errc result =
        read_number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'", &begun, err);
    if (result == OK && begun > 0) {
        result = read_number(db, VERSION_SQL, version, err);
    }
    return result == OK ? check_version(*version, schema_step_count, err) : result;
}

enum errc migrate_check(struct db *db, struct err *err)
{
    int64_t version = 0;
    const enum errc result = migrate_look(db, &version, err);
    if (result != OK || version == (int64_t)schema_step_count) {
        return result;
    }
    return err_set(err, ERR_CONFIG,
                   "the database's schema is version %lld, this program's is %zu: stop the service, then run "
                   "paymentsd migrate",
                   (long long)version, schema_step_count);
}

// In a transaction. *done: nothing is missing.
static enum errc apply_next(struct db *db, const char *const *steps, size_t count, bool *done,
                            struct err *err)
{
    int64_t version = 0;
    enum errc result = read_version(db, &version, err);
    if (result != OK) {
        return result;
    }
    result = check_version(version, count, err);
    if (result != OK) {
        return result;
    }
    *done = version == (int64_t)count;
    if (*done) {
        return OK;
    }
    result = db->driver->script(db, steps[version], err);
    if (result == OK) {
        result =
            db_run(db, NULL, err, "INSERT INTO schema_version (version) VALUES ($1)", DB_I64(version + 1));
    }
    return result;
}

enum errc migrate_steps(struct db *db, const char *const *steps, size_t count, struct err *err)
{
    enum errc result = OK;
    bool done = false;
    while (result == OK && !done) {
        result = db->driver->begin(db, true, err);
        if (result != OK) {
            return result;
        }
        result = apply_next(db, steps, count, &done, err);
        if (result == OK) {
            result = db->driver->commit(db, err);
        } else {
            db->driver->rollback(db);
        }
    }
    return result;
}

enum errc migrate(struct db *db, struct err *err)
{
    return migrate_steps(db, schema_steps, schema_step_count, err);
}
