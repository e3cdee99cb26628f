// What queries call, handed on to the connection's driver: values, rows and columns mean the same for every
// database. Runs on whichever thread owns the connection. SQL dialects and error codes are the drivers'
// business.
#include "store/db.h"

#include <string.h>

#include "base/require.h"
#include "store/driver.h"

enum errc db_driver_find(const char *database, const struct db_driver **driver, struct err *err)
{
    static const struct db_driver *const drivers[] = {&sqlite_driver};
    for (size_t i = 0; i < COUNT_OF(drivers); i++) {
        if (strncmp(database, drivers[i]->prefix, strlen(drivers[i]->prefix)) == 0) {
            *driver = drivers[i];
            return OK;
        }
    }
    return err_set(err, ERR_CONFIG, "the database must be sqlite:PATH");
}

void db_rows_close(struct db_rows *rows)
{
    if (rows->statement) {
        rows->db->driver->close_rows(rows);
        rows->statement = NULL;
    }
}

enum errc db_query_values(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                          const struct db_value *values, size_t count)
{
    db_rows_close(rows);
    rows->db = db;
    return db->driver->query(db, rows, sql, values, count, err);
}

enum errc db_query_once(struct db *db, struct db_rows *rows, struct err *err, const char *sql,
                        const struct db_value *values, size_t count)
{
    db_rows_close(rows);
    rows->db = db;
    return db->driver->query_once(db, rows, sql, values, count, err);
}

enum errc db_next(struct db_rows *rows, bool *has, struct err *err)
{
    *has = false;
    if (!rows->statement) {
        return OK;
    }
    const enum errc result = rows->db->driver->next(rows, has, err);
    // A statement that ended holds no lock while its owner still looks at what it read.
    if (!*has) {
        db_rows_close(rows);
    }
    return result;
}

enum errc db_run_values(struct db *db, int64_t *changed, struct err *err, const char *sql,
                        const struct db_value *values, size_t count)
{
    DB_ROWS(rows);
    enum errc result = db_query_values(db, &rows, err, sql, values, count);
    bool has = result == OK;
    while (has) {
        result = db_next(&rows, &has, err);
    }
    if (result == OK && changed) {
        *changed = db->driver->changed(db);
    }
    return result;
}

// The column as `type`, or NULL. Anything else means that the query and the schema disagree.
static struct db_value column_of_type(struct db_rows *rows, int column, int type)
{
    REQUIRE(rows->statement);
    const struct db_value value = rows->db->driver->column(rows, column);
    REQUIRE((int)value.type == type || value.type == DB_NULL);
    return value;
}

int64_t db_i64(struct db_rows *rows, int column)
{
    return column_of_type(rows, column, DB_INT).integer;
}

bool db_bool(struct db_rows *rows, int column)
{
    return db_i64(rows, column) != 0;
}

bool db_is_null(struct db_rows *rows, int column)
{
    REQUIRE(rows->statement);
    return rows->db->driver->column(rows, column).type == DB_NULL;
}

const char *db_text(struct db_rows *rows, int column, struct arena *arena)
{
    return arena_strdup(arena, column_of_type(rows, column, DB_TEXT).data);
}

const uint8_t *db_blob(struct db_rows *rows, int column, struct arena *arena, size_t *bytes)
{
    const struct db_value value = column_of_type(rows, column, DB_BLOB);
    *bytes = value.bytes;
    return value.type == DB_NULL ? NULL : arena_memdup(arena, value.data, value.bytes);
}

struct uuid db_uuid(struct db_rows *rows, int column)
{
    struct uuid id = {0};
    const struct db_value value = column_of_type(rows, column, DB_BLOB);
    if (value.type == DB_BLOB) {
        REQUIRE(value.bytes == sizeof(id.bytes));
        id = *(const struct uuid *)value.data;
    }
    return id;
}

enum errc db_id_behind(struct db_rows *rows, const struct uuid *made, struct uuid *id, struct err *err)
{
    bool has = false;
    enum errc rc = db_next(rows, &has, err);
    if (rc == OK) {
        const struct uuid last = has ? db_uuid(rows, 0) : *made;
        *id = has ? uuid_behind(&last) : *made;
    }
    return rc;
}
