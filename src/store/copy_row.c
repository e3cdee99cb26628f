// See copy_row.h.
#include "store/copy_row.h"

#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "store/driver.h"

#define ROW_NAME_BYTES 120

void copy_key_release(struct copy_key *key)
{
    arena_release(&key->arena);
}

static struct db_value value_of(const struct copy_row *row, struct db_rows *rows, const char *name,
                                size_t bytes)
{
    for (size_t i = 0; i < row->columns; i++) {
        const char *column = rows->db->driver->column_name(rows, (int)i);
        if (strlen(column) == bytes && memcmp(column, name, bytes) == 0) {
            return row->values[i];
        }
    }
    REQUIRE(!"a column of the key");
    return DB_NIL;
}

void copy_row_read(const struct copy_table *table, struct db_rows *rows, struct copy_row *row)
{
    const struct db_driver *driver = rows->db->driver;
    row->columns = (size_t)driver->column_count(rows);
    REQUIRE(row->columns <= COPY_COLUMNS_MAX);
    for (size_t i = 0; i < row->columns; i++) {
        const bool is_lease = table->has_leases && strcmp(driver->column_name(rows, (int)i), "node_id") == 0;
        row->values[i] = is_lease ? DB_NIL : driver->column(rows, (int)i);
    }
    const char *name = table->key;
    for (size_t i = 0; i < copy_key_columns(table); i++) {
        const size_t bytes = strcspn(name, ",");
        row->key[i] = value_of(row, rows, name, bytes);
        name += bytes;
        name += strspn(name, ", ");
    }
}

void copy_key_keep(struct copy_key *key, const struct copy_table *table,
                   const struct db_value values[COPY_KEY_COLUMNS_MAX])
{
    arena_release(&key->arena);
    key->count = copy_key_columns(table);
    for (size_t i = 0; i < key->count; i++) {
        struct db_value value = values[i];
        if (value.type == DB_TEXT) {
            value.data = arena_strndup(&key->arena, value.data, value.bytes);
        } else if (value.type == DB_BLOB) {
            value.data = arena_memdup(&key->arena, value.data, value.bytes);
        }
        key->values[i] = value;
    }
}

static bool is_same_value(const struct db_value *a, const struct db_value *b)
{
    if (a->type != b->type || a->type == DB_FOREIGN) {
        return false;
    }
    if (a->type == DB_NULL || a->type == DB_INT) {
        return a->integer == b->integer;
    }
    return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

bool copy_row_is_same(struct db_rows *from, const struct copy_row *a, struct db_rows *to,
                      const struct copy_row *b)
{
    bool same = a->columns == b->columns;
    for (size_t i = 0; same && i < a->columns; i++) {
        same = text_equal(from->db->driver->column_name(from, (int)i),
                          to->db->driver->column_name(to, (int)i)) &&
               is_same_value(&a->values[i], &b->values[i]);
    }
    return same;
}

// "0190a1b2-..., payment": ids as the API shows them, and no value that may be a secret.
static void name_key(const struct db_value *key, size_t count, char out[ROW_NAME_BYTES])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && at < ROW_NAME_BYTES - UUID_TEXT_BYTES - 2; i++) {
        char text[UUID_TEXT_BYTES] = "?";
        if (key[i].type == DB_BLOB && key[i].bytes == sizeof(struct uuid)) {
            struct uuid id;
            memcpy(id.bytes, key[i].data, sizeof(id.bytes));
            uuid_format(&id, text);
        } else if (key[i].type == DB_INT) {
            (void)snprintf(text, sizeof(text), "%lld", (long long)key[i].integer);
        } else if (key[i].type == DB_TEXT) {
            (void)snprintf(text, sizeof(text), "%.36s", (const char *)key[i].data);
        }
        at += (size_t)snprintf(out + at, ROW_NAME_BYTES - at, "%s%s", i == 0 ? "" : ", ", text);
    }
}

enum errc copy_row_refuse(const struct copy_table *table, const struct copy_row *row, const char *what,
                          struct err *err)
{
    char name[ROW_NAME_BYTES];
    name_key(row->key, copy_key_columns(table), name);
    return err_set(err, ERR_STORE, "table %s, row %s: %.100s", table->name, name, what);
}

enum errc copy_explain(const struct copy_table *table, const struct copy_key *after, enum errc rc,
                       struct err *err)
{
    char message[ERR_MESSAGE_MAX];
    char name[ROW_NAME_BYTES];
    (void)snprintf(message, sizeof(message), "%s", err->message);
    name_key(after->values, after->count, name);
    return err_set(err, rc, "table %s%s%s: %.100s", table->name, after->count == 0 ? "" : ", after the row ",
                   name, message);
}

enum errc copy_row_check(const struct copy_table *table, const struct copy_row *row, struct err *err)
{
    for (size_t i = 0; i < row->columns; i++) {
        const struct db_value *value = &row->values[i];
        const bool is_whole = value->type != DB_TEXT || (strlen(value->data) == value->bytes &&
                                                         text_is_utf8(value->data, value->bytes));
        if (value->type == DB_FOREIGN || !is_whole) {
            return copy_row_refuse(table, row, "a value is damaged", err);
        }
    }
    return OK;
}
