// What queries call, passed on to the connection's driver. Values, rows and columns mean the same for every
// database; the drivers know SQL dialects and error codes. Runs on the thread that owns the connection.
#include "store/db.h"

#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "store/driver.h"
#include "store/kept_row.h"

#define COUNT_MAX 1000000000

void db_serve(struct db *db, struct db *writer)
{
    if (db->driver->is_shared) {
        db->driver->serve(db, writer);
    }
}

void db_rows_close(struct db_rows *rows)
{
    if (rows->kept) {
        kept_row_release(rows->kept);
        rows->kept = NULL;
    }
    if (rows->statement) {
        rows->db->driver->close_rows(rows);
        rows->statement = NULL;
    }
}

static enum errc refuse_damage(const struct db *db, struct err *err)
{
    return db->damaged[0] == '\0'
               ? OK
               : err_set(err, ERR_STORE, "database: the file is damaged (%s)", db->damaged);
}

enum errc db_result(struct db *db, enum errc rc, struct err *err)
{
    const enum errc damaged = refuse_damage(db, err);
    db->damaged[0] = '\0';
    return damaged != OK ? damaged : rc;
}

bool db_take_damage(struct db *db)
{
    const bool damaged = db->damaged[0] != '\0';
    db->damaged[0] = '\0';
    return damaged;
}

enum errc db_query_values(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                          const struct db_value *values, size_t count)
{
    db_rows_close(rows);
    rows->db = db;
    const enum errc damaged = refuse_damage(db, err);
    return damaged != OK ? damaged : db->driver->query(db, rows, sql, values, count, err);
}

enum errc db_query_built(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                         const struct db_value *values, size_t count)
{
    db_rows_close(rows);
    rows->db = db;
    const enum errc damaged = refuse_damage(db, err);
    return damaged != OK ? damaged : db->driver->query_built(db, rows, sql, values, count, err);
}

enum errc db_query_once(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                        const struct db_value *values, size_t count)
{
    db_rows_close(rows);
    rows->db = db;
    const enum errc damaged = refuse_damage(db, err);
    return damaged != OK ? damaged : db->driver->query_once(db, rows, sql, values, count, err);
}

enum errc db_next(struct db_rows *rows, bool *has, struct err *err)
{
    *has = false;
    if (!rows->statement) {
        return OK;
    }
    enum errc rc = refuse_damage(rows->db, err);
    if (rc == OK) {
        rc = rows->db->driver->next(rows, has, err);
    }
    // A statement that has ended must hold no lock while its caller goes on.
    if (!*has) {
        db_rows_close(rows);
    }
    return rc;
}

void db_limit(struct db_rows *rows, int steps)
{
    REQUIRE(rows->statement && steps > 0);
    if (rows->db->driver->limit != NULL) {
        rows->db->driver->limit(rows, steps);
    }
}

bool db_can_limit(const struct db *db)
{
    return db->driver->limit != NULL;
}

enum errc db_first_values(struct db *db, struct db_rows *rows, bool *has, struct err *err, const char *sql,
                          const struct db_value *values, size_t count)
{
    *has = false;
    const enum errc rc = db_query_values(db, rows, err, sql, values, count);
    return rc == OK ? db_next(rows, has, err) : rc;
}

enum errc db_one_values(struct db *db, struct db_rows *rows, const char *missing, struct err *err,
                        const char *sql, const struct db_value *values, size_t count)
{
    bool has = false;
    const enum errc rc = db_first_values(db, rows, &has, err, sql, values, count);
    return rc != OK || has ? rc : err_set(err, ERR_NOT_FOUND, "%s", missing);
}

enum errc db_run_values(struct db *db, int64_t *changed, struct err *err, const char *sql,
                        const struct db_value *values, size_t count)
{
    DB_ROWS(rows);
    if (changed == NULL && db->driver->is_shared) {
        const enum errc damaged = refuse_damage(db, err);
        return damaged != OK ? damaged : db->driver->run(db, sql, values, count, err);
    }
    enum errc rc = db_query_values(db, &rows, err, sql, values, count);
    bool has = rc == OK;
    while (has) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK && changed) {
        *changed = db->driver->changed(db);
    }
    return rc;
}

enum errc db_run_one_values(struct db *db, struct err *err, const char *sql, const struct db_value *values,
                            size_t count)
{
    int64_t changed = 0;
    const enum errc damaged = refuse_damage(db, err);
    if (damaged != OK || db->driver->is_shared) {
        return damaged != OK ? damaged : db->driver->run_one(db, sql, values, count, err);
    }
    const enum errc rc = db_run_values(db, &changed, err, sql, values, count);
    REQUIRE(rc != OK || changed == 1);
    return rc;
}

enum errc db_lock_values(struct db *db, struct err *err, const char *sql, const struct db_value *values,
                         size_t count)
{
    const enum errc damaged = refuse_damage(db, err);
    return damaged == OK && db->driver->is_shared ? db->driver->lock(db, sql, values, count, err) : damaged;
}

static void note_damage_in(struct db *db, const char *column)
{
    (void)snprintf(db->damaged, sizeof(db->damaged), "a value in the column %s", column);
}

enum errc db_damaged(struct db_rows *rows, const char *column, struct err *err)
{
    note_damage_in(rows->db, column);
    return refuse_damage(rows->db, err);
}

static void note_damage(struct db_rows *rows, int column)
{
    note_damage_in(rows->db,
                   rows->kept ? rows->kept->names[column] : rows->db->driver->column_name(rows, column));
}

static struct db_value column_of(struct db_rows *rows, int column)
{
    if (rows->kept) {
        REQUIRE(column >= 0 && (size_t)column < rows->kept->column_count);
        return rows->kept->values[column];
    }
    REQUIRE(rows->statement);
    return rows->db->driver->column(rows, column);
}

// The column's value if it is of this type or NULL. Damage reads as NULL.
static struct db_value column_of_type(struct db_rows *rows, int column, int type)
{
    const struct db_value value = column_of(rows, column);
    if (value.type == DB_NULL || (int)value.type == type) {
        return value;
    }
    note_damage(rows, column);
    return DB_NIL;
}

static int64_t number_up_to(struct db_rows *rows, int column, int64_t max)
{
    const int64_t number = column_of_type(rows, column, DB_INT).integer;
    if (number < 0 || number > max) {
        note_damage(rows, column);
        return 0;
    }
    return number;
}

int64_t db_i64(struct db_rows *rows, int column)
{
    return column_of_type(rows, column, DB_INT).integer;
}

bool db_bool(struct db_rows *rows, int column)
{
    return number_up_to(rows, column, 1) == 1;
}

int db_count(struct db_rows *rows, int column)
{
    return (int)number_up_to(rows, column, COUNT_MAX);
}

bool db_is_null(struct db_rows *rows, int column)
{
    return column_of(rows, column).type == DB_NULL;
}

const char *db_text(struct db_rows *rows, int column, struct arena *arena)
{
    const struct db_value value = column_of(rows, column);
    if (value.type == DB_NULL) {
        return NULL;
    }
    if (value.type != DB_TEXT || strlen(value.data) != value.bytes) {
        note_damage(rows, column);
        return "";
    }
    return arena == NULL ? value.data : arena_memdup(arena, value.data, value.bytes + 1);
}

const uint8_t *db_blob(struct db_rows *rows, int column, struct arena *arena, size_t *bytes)
{
    const struct db_value value = column_of_type(rows, column, DB_BLOB);
    *bytes = value.bytes;
    if (value.type == DB_NULL) {
        return NULL;
    }
    return arena == NULL ? value.data : arena_memdup(arena, value.data, value.bytes);
}

void db_fixed(struct db_rows *rows, int column, void *out, size_t bytes)
{
    const struct db_value value = column_of_type(rows, column, DB_BLOB);
    memset(out, 0, bytes);
    if (value.type == DB_BLOB && value.bytes == bytes) {
        memcpy(out, value.data, bytes);
    } else if (value.type == DB_BLOB) {
        note_damage(rows, column);
    }
}

struct uuid db_uuid(struct db_rows *rows, int column)
{
    struct uuid id;
    db_fixed(rows, column, id.bytes, sizeof(id.bytes));
    return id;
}

enum errc db_id_after(struct db_rows *rows, int column, const struct uuid *made, struct uuid *id,
                      struct err *err)
{
    const struct uuid last = db_is_null(rows, column) ? (struct uuid){{0}} : db_uuid(rows, column);
    const bool follows = memcmp(&last, made, sizeof(last)) >= 0;
    if (follows && !uuid_has_next(&last)) {
        return db_damaged(rows, "id", err); // not an id of ours: none can follow it
    }
    *id = follows ? uuid_after(&last) : *made;
    return OK;
}

static enum errc run_once(struct db *db, enum errc (*run)(struct db *db, void *context, struct err *err),
                          void *context, struct err *err)
{
    enum errc rc = db->driver->begin(db, true, err);
    if (rc != OK) {
        return rc;
    }
    rc = run(db, context, err);
    if (rc != OK) {
        db->driver->rollback(db);
        return rc;
    }
    return db->driver->commit(db, err);
}

enum errc db_alone(struct db *db, enum errc (*run)(struct db *db, void *context, struct err *err),
                   void *context, struct err *err)
{
    enum errc rc = run_once(db, run, context, err);
    for (int tries = 1; db_lost_conflict(rc) && tries < db->driver->tries; tries++) {
        rc = run_once(db, run, context, err);
    }
    return rc;
}
