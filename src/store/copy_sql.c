// The SQL texts of a copy (copy_rows.h): the database says which columns a table has.
#include "store/copy_sql.h"

#include <string.h>

#include "base/buf.h"
#include "base/require.h"
#include "store/driver.h"

#define SQL_BYTES_MAX 4096

size_t copy_key_columns(const struct copy_table *table)
{
    size_t count = 1;
    for (const char *at = table->key; *at != '\0'; at++) {
        count += *at == ',';
    }
    REQUIRE(count <= COPY_KEY_COLUMNS_MAX);
    return count;
}

// "WHERE name <> 'copy' AND (a, b) > ($1, $2)"
static void put_where(struct buf *sql, const struct copy_table *table, bool is_after)
{
    const char *glue = " WHERE ";
    if (table->rows != NULL) {
        buf_printf(sql, "%s%s", glue, table->rows);
        glue = " AND ";
    }
    if (is_after) {
        buf_printf(sql, "%s(%s) > (", glue, table->key);
        for (size_t i = 1; i <= copy_key_columns(table); i++) {
            buf_printf(sql, "%s$%zu", i == 1 ? "" : ", ", i);
        }
        buf_add_str(sql, ")");
    }
}

static const char *keep_sql(struct arena *arena, struct buf *sql)
{
    REQUIRE(!sql->overflow);
    const char *kept = arena_strdup(arena, buf_str(sql));
    buf_release(sql);
    return kept;
}

const char *copy_select_sql(const struct copy_table *table, bool is_after, struct arena *arena)
{
    struct buf sql = BUF_MAX(SQL_BYTES_MAX);
    buf_printf(&sql, "SELECT * FROM %s", table->name);
    put_where(&sql, table, is_after);
    buf_printf(&sql, " ORDER BY %s LIMIT %d", table->key, COPY_BATCH_ROWS);
    return keep_sql(arena, &sql);
}

const char *copy_last_sql(const struct copy_table *table, struct arena *arena)
{
    struct buf sql = BUF_MAX(SQL_BYTES_MAX);
    buf_printf(&sql, "SELECT %s FROM %s", table->key, table->name);
    put_where(&sql, table, false);
    buf_add_str(&sql, " ORDER BY ");
    for (const char *at = table->key; *at != '\0';) {
        const size_t bytes = strcspn(at, ",");
        buf_add(&sql, at, bytes);
        at += bytes;
        buf_add_str(&sql, *at == ',' ? " DESC," : " DESC");
        at += *at == ',';
    }
    buf_add_str(&sql, " LIMIT 1");
    return keep_sql(arena, &sql);
}

const char *copy_insert_sql(const struct copy_table *table, struct db_rows *rows, struct arena *arena)
{
    const int columns = rows->db->driver->column_count(rows);
    struct buf sql = BUF_MAX(SQL_BYTES_MAX);
    buf_printf(&sql, "INSERT INTO %s (", table->name);
    for (int i = 0; i < columns; i++) {
        buf_printf(&sql, "%s%s", i == 0 ? "" : ", ", rows->db->driver->column_name(rows, i));
    }
    buf_add_str(&sql, ") VALUES (");
    for (int i = 0; i < columns; i++) {
        buf_printf(&sql, "%s$%d", i == 0 ? "" : ", ", i + 1);
    }
    buf_add_str(&sql, ")");
    return keep_sql(arena, &sql);
}

const char *copy_count_sql(const struct copy_table *table, struct arena *arena)
{
    struct buf sql = BUF_MAX(SQL_BYTES_MAX);
    buf_printf(&sql, "SELECT count(*) FROM %s", table->name);
    put_where(&sql, table, false);
    return keep_sql(arena, &sql);
}
