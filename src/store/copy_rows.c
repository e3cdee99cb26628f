// See copy_rows.h. A transaction on either side holds one batch. The calling thread.
#include "store/copy_rows.h"

#include "store/copy_mark.h"
#include "store/copy_row.h"
#include "store/driver.h"

#define LOG_BYTES_MAX (16 * 1024 * 1024) // of SQLite's log, before it is copied back

struct statements {
    const char *first;
    const char *next;
    const char *insert; // NULL: no row was read yet
};

static struct statements statements_of(const struct copy_rows *copy)
{
    return (struct statements){.first = copy_select_sql(copy->table, false, copy->arena),
                               .next = copy_select_sql(copy->table, true, copy->arena)};
}

static enum errc query(struct db *db, struct db_rows *rows, const struct statements *statements,
                       const struct copy_key *after, struct err *err)
{
    return db_query_values(db, rows, err, after->count == 0 ? statements->first : statements->next,
                           after->values, after->count);
}

// Begins a transaction on both sides.
static enum errc begin(struct copy_rows *copy, bool writes, struct err *err)
{
    enum errc rc = copy->from->driver->begin(copy->from, false, err);
    if (rc == OK) {
        rc = copy->to->driver->begin(copy->to, writes, err);
        if (rc != OK) {
            copy->from->driver->rollback(copy->from);
        }
    }
    return rc;
}

static void rollback(struct copy_rows *copy)
{
    copy->from->driver->rollback(copy->from);
    copy->to->driver->rollback(copy->to);
}

// Keeps SQLite's log short. No transaction is open.
static enum errc copy_log(struct db *db, struct err *err)
{
    const struct db_driver *driver = db->driver;
    return driver->log_bytes == NULL || driver->log_bytes(db) < LOG_BYTES_MAX || driver->copy_log(db)
               ? OK
               : err_set(err, ERR_STORE, "database: a sync failed");
}

// The last row that was read in this batch, or the one before the batch. While rows are read, the statement
// uses the key before the batch.
struct position {
    struct copy_key before;
    struct copy_key read;
};
#define POSITION_CLEANUP __attribute__((cleanup(position_release)))

static void position_release(struct position *position)
{
    copy_key_release(&position->before);
    copy_key_release(&position->read);
}

static const struct copy_key *last_of(const struct position *position)
{
    return position->read.count > 0 ? &position->read : &position->before;
}

// After a batch.
static void position_advance(struct position *position)
{
    if (position->read.count > 0) {
        copy_key_release(&position->before);
        position->before = position->read;
        position->read = (struct copy_key){.count = 0};
    }
}

static enum errc insert_row(struct copy_rows *copy, struct statements *statements, struct db_rows *rows,
                            struct position *position, struct err *err)
{
    struct copy_row row;
    copy_row_read(copy->table, rows, &row);
    enum errc rc = copy_row_check(copy->table, &row, err);
    if (rc != OK) {
        return rc;
    }
    if (statements->insert == NULL) {
        statements->insert = copy_insert_sql(copy->table, rows, copy->arena);
    }
    rc = db_run_values(copy->to, NULL, err, statements->insert, row.values, row.columns);
    if (rc != OK) { // perhaps of an earlier row of the batch
        return copy_explain(copy->table, &position->before, rc, err);
    }
    copy_key_keep(&position->read, copy->table, row.key);
    return OK;
}

static enum errc insert_batch(struct copy_rows *copy, struct statements *statements,
                              struct position *position, int64_t *count, struct err *err)
{
    DB_ROWS(rows);
    *count = 0;
    enum errc rc = query(copy->from, &rows, statements, &position->before, err);
    bool has = rc == OK;
    while (rc == OK && has) {
        rc = db_next(&rows, &has, err);
        if (rc != OK) {
            return copy_explain(copy->table, last_of(position), rc, err);
        }
        if (has) {
            rc = insert_row(copy, statements, &rows, position, err);
            ++*count;
        }
    }
    return rc;
}

static enum errc copy_batch(struct copy_rows *copy, struct statements *statements, struct position *position,
                            int64_t *count, struct err *err)
{
    enum errc rc = begin(copy, true, err);
    if (rc != OK) {
        return rc;
    }
    rc = copy_mark_hold(copy->to, err);
    if (rc == OK) {
        rc = insert_batch(copy, statements, position, count, err);
    }
    copy->from->driver->rollback(copy->from);
    if (rc != OK) {
        copy->to->driver->rollback(copy->to);
        return rc;
    }
    rc = copy->to->driver->commit(copy->to, err); // statements may fail as late as here
    if (rc != OK) {
        return copy_explain(copy->table, &position->before, rc, err);
    }
    position_advance(position);
    return copy_log(copy->to, err);
}

static enum errc query_last(struct copy_rows *copy, struct copy_key *last, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    const enum errc rc =
        db_first_values(copy->to, &rows, &has, err, copy_last_sql(copy->table, copy->arena), NULL, 0);
    if (has) {
        struct copy_row row;
        copy_row_read(copy->table, &rows, &row);
        copy_key_keep(last, copy->table, row.key);
    }
    return rc;
}

static enum errc read_last(struct copy_rows *copy, struct copy_key *last, struct err *err)
{
    enum errc rc = copy->to->driver->begin(copy->to, false, err);
    if (rc == OK) {
        rc = query_last(copy, last, err);
        copy->to->driver->rollback(copy->to);
    }
    return rc;
}

enum errc copy_rows(struct copy_rows *copy, struct err *err)
{
    POSITION_CLEANUP struct position position = {.before.count = 0};
    struct statements statements = statements_of(copy);
    enum errc rc = read_last(copy, &position.before, err);
    for (int64_t count = COPY_BATCH_ROWS; rc == OK && count == COPY_BATCH_ROWS;) {
        rc = copy_batch(copy, &statements, &position, &count, err);
        if (rc == OK) {
            copy->done(copy->context, count);
        }
    }
    return rc;
}

static enum errc compare_row(struct copy_rows *copy, struct db_rows *from, struct db_rows *to,
                             struct copy_key *read, struct err *err)
{
    struct copy_row rows[2];
    copy_row_read(copy->table, from, &rows[0]);
    copy_row_read(copy->table, to, &rows[1]);
    copy_key_keep(read, copy->table, rows[0].key);
    return copy_row_is_same(from, &rows[0], to, &rows[1])
               ? OK
               : copy_row_refuse(copy->table, &rows[0], "it differs in the copy", err);
}

static enum errc compare_batch(struct copy_rows *copy, const struct statements *statements,
                               struct position *position, int64_t *count, struct err *err)
{
    DB_ROWS(from);
    DB_ROWS(to);
    *count = 0;
    enum errc rc = query(copy->from, &from, statements, &position->before, err);
    if (rc == OK) {
        rc = query(copy->to, &to, statements, &position->before, err);
    }
    bool has = rc == OK;
    while (rc == OK && has) {
        bool there = false;
        rc = db_next(&from, &has, err);
        if (rc == OK) {
            rc = db_next(&to, &there, err);
        }
        if (rc == OK && has != there) {
            rc = err_set(err, ERR_STORE, has ? "a row is missing in the copy" : "a row is only in the copy");
        }
        if (rc != OK) {
            return copy_explain(copy->table, last_of(position), rc, err);
        }
        if (has) {
            rc = compare_row(copy, &from, &to, &position->read, err);
            ++*count;
        }
    }
    return rc;
}

enum errc copy_rows_count(struct db *db, const struct copy_table *table, struct arena *arena, int64_t *count,
                          struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    const enum errc rc = db_first_values(db, &rows, &has, err, copy_count_sql(table, arena), NULL, 0);
    *count = has ? db_i64(&rows, 0) : 0;
    return rc;
}

// Whether as many rows were compared as each database says that it has.
static enum errc check_count(struct copy_rows *copy, int64_t compared, struct err *err)
{
    int64_t from = 0;
    int64_t to = 0;
    enum errc rc = begin(copy, false, err);
    if (rc != OK) {
        return rc;
    }
    rc = copy_rows_count(copy->from, copy->table, copy->arena, &from, err);
    if (rc == OK) {
        rc = copy_rows_count(copy->to, copy->table, copy->arena, &to, err);
    }
    rollback(copy);
    return rc != OK || (from == compared && to == compared)
               ? rc
               : err_set(err, ERR_STORE, "table %s: %lld rows, and %lld in the copy, but %lld were compared",
                         copy->table->name, (long long)from, (long long)to, (long long)compared);
}

enum errc copy_rows_compare(struct copy_rows *copy, struct err *err)
{
    POSITION_CLEANUP struct position position = {.before.count = 0};
    const struct statements statements = statements_of(copy);
    int64_t compared = 0;
    enum errc rc = OK;
    for (int64_t count = COPY_BATCH_ROWS; rc == OK && count == COPY_BATCH_ROWS;) {
        rc = begin(copy, false, err);
        if (rc == OK) {
            rc = compare_batch(copy, &statements, &position, &count, err);
            rollback(copy);
        }
        if (rc == OK) {
            position_advance(&position);
            compared += count;
            copy->done(copy->context, count);
        }
    }
    return rc == OK ? check_count(copy, compared, err) : rc;
}
