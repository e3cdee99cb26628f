// See copy.h. The calling thread.
#include "store/copy.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "store/copy_rows.h"
#include "store/copy_tables.h"
#include "store/driver.h"
#include "store/migrate.h"
#include "store/nodes.h"
#include "store/store.h"

// One of the two databases.
struct side {
    const struct db_driver *driver;
    struct db *db;
    int claim;           // -1: none
    struct arena *arena; // outlives db
    struct copy_mark mark;
    int64_t rows;
};
#define SIDE_CLEANUP __attribute__((cleanup(side_close)))

static void side_close(struct side *side)
{
    if (side->db != NULL) {
        side->driver->close(side->db);
    }
    if (side->claim >= 0) {
        close(side->claim);
    }
}

static enum errc in_transaction(struct side *side, bool writes,
                                enum errc (*run)(struct side *side, struct err *err), struct err *err)
{
    enum errc rc = side->driver->begin(side->db, writes, err);
    if (rc != OK) {
        return rc;
    }
    rc = db_result(side->db, run(side, err), err);
    if (rc == OK && writes) {
        return side->driver->commit(side->db, err);
    }
    side->driver->rollback(side->db);
    return rc;
}

static enum errc read_mark(struct side *side, struct err *err)
{
    return copy_mark_get(side->db, &side->mark, err);
}

static enum errc write_mark(struct side *side, struct err *err)
{
    return copy_mark_put(side->db, &side->mark, err);
}

// The schema makes rows of this table by itself. The source has them too.
static enum errc mark_target(struct side *target, struct err *err)
{
    target->mark.role = COPY_UNFINISHED;
    const enum errc rc = db_run(target->db, NULL, err, "DELETE FROM meta");
    return rc == OK ? write_mark(target, err) : rc;
}

static enum errc set_mark(struct side *side, enum copy_role role, struct err *err)
{
    side->mark.role = role;
    return in_transaction(side, true, write_mark, err);
}

// Locks the source's mark and reads it again: where there is no claim, a copy may be cancelled while it runs.
static enum errc hold_source(struct side *source, struct err *err)
{
    const struct uuid id = source->mark.id;
    enum errc rc = copy_mark_hold(source->db, err);
    if (rc == OK) {
        rc = read_mark(source, err);
    }
    return rc == ERR_NOT_FOUND || (rc == OK && !uuid_equal(&source->mark.id, &id))
               ? err_set(err, ERR_CONFIG, "the copy was cancelled")
               : rc;
}

static enum errc leave_source(struct side *source, struct err *err)
{
    const enum errc rc = hold_source(source, err);
    source->mark.role = COPY_LEFT;
    return rc == OK ? write_mark(source, err) : rc;
}

static enum errc stay_on_source(struct side *source, struct err *err)
{
    const enum errc rc = hold_source(source, err);
    if (rc != OK || source->mark.role != COPY_LEAVING) {
        return rc != OK ? rc : copy_mark_check(&source->mark, err);
    }
    source->mark.role = COPY_NONE;
    return write_mark(source, err);
}

// Claims and opens it. No service can start on it meanwhile, where only one may run.
static enum errc side_open(struct side *side, const char *name, struct err *err)
{
    enum errc rc = db_driver_find(name, &side->driver, err);
    if (rc == OK && !side->driver->is_shared) {
        rc = side->driver->claim(name, &side->claim, err);
    }
    return rc == OK ? side->driver->open(name, true, &side->db, err) : rc;
}

static enum errc check_schema(struct db *db, void *context, struct err *err)
{
    (void)context;
    int64_t version = 0;
    const enum errc rc = migrate_look(db, &version, err);
    if (rc == OK && version == 0) {
        return err_set(err, ERR_CONFIG, "the database to copy from is empty");
    }
    return rc == OK ? migrate_check(db, err) : rc;
}

static enum errc open_source(struct side *source, const char *name, struct err *err)
{
    // To look first creates nothing.
    enum errc rc = store_look_once(name, check_schema, NULL, err);
    if (rc == OK) {
        rc = side_open(source, name, err);
    }
    return rc == OK ? in_transaction(source, false, read_mark, err) : rc;
}

static enum errc has_table(struct db *db, const char *name, bool *has, struct err *err)
{
    DB_ROWS(rows);
    const struct db_value value = DB_STR(name);
    const enum errc rc = db_query_once(db, &rows, err, db->driver->table_exists, &value, 1);
    return rc == OK ? db_next(&rows, has, err) : rc;
}

static enum errc refuse_rows(struct db *db, const struct copy_table *table, struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    DB_ROWS(rows);
    bool has = false;
    const char *condition = table->in_use != NULL ? table->in_use : "";
    const char *sql = arena_printf(&arena, "SELECT 1 FROM %s %s LIMIT 1", table->name, condition);
    enum errc rc = db_query_once(db, &rows, err, sql, NULL, 0);
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    return rc == OK && has
               ? err_set(err, ERR_CONFIG,
                         "the database to copy to is not empty: its table %s has rows. Use an empty database",
                         table->name)
               : rc;
}

// That the service never used it. Any schema.
static enum errc check_empty(struct side *target, struct err *err)
{
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < copy_table_count; i++) {
        bool has = false;
        rc = has_table(target->db, copy_tables[i].name, &has, err);
        if (rc == OK && has) {
            rc = refuse_rows(target->db, &copy_tables[i], err);
        }
    }
    return rc;
}

static enum errc read_mark_if_any(struct side *target, struct err *err)
{
    bool has = false;
    const enum errc rc = has_table(target->db, "meta", &has, err);
    return rc == OK && has ? read_mark(target, err) : rc;
}

// Only a database that was never used is migrated.
static enum errc open_target(struct side *target, const char *name, struct err *err)
{
    enum errc rc = side_open(target, name, err);
    if (rc == OK) {
        rc = in_transaction(target, false, read_mark_if_any, err);
    }
    if (rc == OK && target->mark.role != COPY_UNFINISHED) {
        rc = in_transaction(target, false, check_empty, err);
    }
    return rc == OK ? migrate(target->db, err) : rc;
}

// Where nothing claims the database, its nodes are registered.
static enum errc refuse_nodes(struct side *source, struct err *err)
{
    const char *name = "";
    const enum errc rc =
        source->driver->is_shared ? nodes_find_alive(source->db, source->arena, &name, err) : OK;
    return rc != OK || name[0] == '\0'
               ? rc
               : err_set(
                     err, ERR_CONFIG,
                     "a service is running on the database to copy from (%s), or ended less than %d s ago: "
                     "stop all its nodes",
                     name, NODE_DEAD_S);
}

static enum errc mark_both(struct side *source, struct side *target, struct err *err)
{
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    target->mark.id = uuid_new(&random_system, (int64_t)now.tv_sec * US_PER_S);
    source->mark.id = target->mark.id;
    enum errc rc = in_transaction(target, true, mark_target, err);
    if (rc == OK) {
        rc = set_mark(source, COPY_LEAVING, err);
    }
    if (rc == OK && in_transaction(source, false, refuse_nodes, err) != OK) { // one started after the check
        rc = set_mark(source, COPY_NONE, NULL) == OK ? err->code : ERR_STORE;
    }
    return rc;
}

// Begins a copy, or finds that this very one was begun.
static enum errc pair(struct side *source, struct side *target, struct err *err)
{
    const bool begun = target->mark.role == COPY_UNFINISHED;
    if (source->mark.role == COPY_UNFINISHED) {
        return err_set(err, ERR_CONFIG, "the database to copy from is an unfinished copy itself");
    }
    if (source->mark.role != COPY_NONE) {
        return begun && uuid_equal(&source->mark.id, &target->mark.id) ? OK
                                                                       : copy_mark_check(&source->mark, err);
    }
    // The target is marked first, so an interrupted copy may have marked only that.
    if (begun && in_transaction(target, false, check_empty, NULL) != OK) {
        return err_set(err, ERR_CONFIG,
                       "the database to copy to holds an unfinished copy that was cancelled, or of another "
                       "database. Use an empty database");
    }
    const enum errc rc = in_transaction(source, false, refuse_nodes, err);
    return rc == OK ? mark_both(source, target, err) : rc;
}

struct work {
    const struct copy_options *options;
    struct copy_progress progress;
};

static void note_rows(void *context, int64_t rows)
{
    struct work *work = context;
    work->progress.done += rows;
    work->options->progress(work->options->context, &work->progress);
}

static enum errc count_all(struct side *side, struct err *err)
{
    side->rows = 0;
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < copy_table_count; i++) {
        int64_t count = 0;
        rc = copy_rows_count(side->db, &copy_tables[i], side->arena, &count, err);
        side->rows += count;
    }
    return rc;
}

static enum errc for_each_table(struct side *source, struct side *target, struct work *work,
                                enum errc (*run)(struct copy_rows *copy, struct err *err), struct err *err)
{
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < copy_table_count; i++) {
        struct copy_rows copy = {
            .from = source->db,
            .to = target->db,
            .table = &copy_tables[i],
            .arena = source->arena,
            .done = note_rows,
            .context = work,
        };
        work->progress.table = copy_tables[i].name;
        rc = run(&copy, err);
    }
    return rc;
}

static enum errc hold(struct side *target, struct err *err)
{
    return copy_mark_hold(target->db, err);
}

static enum errc copy_and_compare(struct side *source, struct side *target,
                                  const struct copy_options *options, struct err *err)
{
    struct work work = {.options = options, .progress.phase = COPY_PHASE_ROWS};
    enum errc rc = in_transaction(target, true, hold, err);
    if (rc == OK) {
        rc = in_transaction(source, false, count_all, err);
    }
    if (rc == OK) {
        rc = in_transaction(target, false, count_all, err);
    }
    work.progress.total = source->rows;
    work.progress.done = target->rows;
    if (rc == OK) {
        rc = for_each_table(source, target, &work, copy_rows, err);
    }
    work.progress.phase = COPY_PHASE_COMPARE;
    work.progress.done = 0;
    return rc == OK ? for_each_table(source, target, &work, copy_rows_compare, err) : rc;
}

enum errc store_copy(const struct copy_options *options, int64_t *rows, struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    SIDE_CLEANUP struct side source = {.claim = -1, .arena = &arena};
    SIDE_CLEANUP struct side target = {.claim = -1, .arena = &arena};
    if (text_equal(options->from, options->to)) {
        return err_set(err, ERR_CONFIG, "the two databases are the same");
    }
    enum errc rc = open_source(&source, options->from, err);
    if (rc == OK) {
        rc = open_target(&target, options->to, err);
    }
    if (rc == OK) {
        rc = pair(&source, &target, err);
    }
    if (rc == OK) {
        rc = copy_and_compare(&source, &target, options, err);
    }
    if (rc == OK) {
        rc = in_transaction(&source, true, leave_source, err);
    }
    if (rc == OK) {
        rc = set_mark(&target, COPY_NONE, err);
    }
    *rows = source.rows;
    return rc;
}

enum errc store_copy_cancel(const char *from, struct err *err)
{
    SIDE_CLEANUP struct side source = {.claim = -1};
    const enum errc rc = open_source(&source, from, err);
    if (rc != OK) {
        return rc;
    }
    switch (source.mark.role) {
    case COPY_NONE:
        return err_set(err, ERR_CONFIG, "there is no copy to cancel: the service may run on this database");
    case COPY_LEAVING:
        return in_transaction(&source, true, stay_on_source, err);
    case COPY_UNFINISHED:
    case COPY_LEFT:
    case COPY_ROLES:
        break;
    }
    return copy_mark_check(&source.mark, err);
}
