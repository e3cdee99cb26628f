// See kept_rows.h. The thread that owns the connection.
#include "store/kept_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/require.h"
#include "store/driver.h"
#include "store/kept_row.h"

#define ROWS_MAX 2000 // of about 1 kB each; when one more comes, all are read again
#define KEY_BYTES_MAX 128

struct kept_rows {
    struct table rows;
    struct uuid generation;
};

void kept_rows_start(struct db *db)
{
    db->kept = calloc(1, sizeof(*db->kept));
    REQUIRE(db->kept != NULL);
}

static void drop_row(struct table_node *node, void *context)
{
    struct kept_rows *kept = context;
    table_remove(&kept->rows, node);
    kept_row_release(CONTAINER_OF(node, struct kept_row, node));
}

static void drop_all(struct kept_rows *kept)
{
    table_each(&kept->rows, drop_row, kept);
}

void kept_rows_stop(struct db *db)
{
    if (db->kept != NULL) {
        drop_all(db->kept);
        table_release(&db->kept->rows);
        free(db->kept);
        db->kept = NULL;
    }
}

void kept_rows_recheck(struct db *db)
{
    db->generation_known = false;
}

// It is asked ahead for all jobs of a transaction.
static enum errc read_generation(struct db *db, struct db_rows *rows, struct err *err)
{
    const void *asker = db->asker;
    db->asker = db->kept;
    enum errc rc = db_one(db, rows, "the generation is missing", err, "SELECT value FROM generation");
    db->asker = asker;
    return rc;
}

static enum errc check_generation(struct db *db, struct err *err)
{
    if (db->generation_known) {
        return OK;
    }
    DB_ROWS(rows);
    enum errc rc = read_generation(db, &rows, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? db_damaged(&rows, "value", err) : rc;
    }
    const struct uuid generation = db_uuid(&rows, 0);
    if (!uuid_equal(&generation, &db->kept->generation)) {
        drop_all(db->kept);
        db->kept->generation = generation;
    }
    db->generation_known = true;
    return OK;
}

void kept_rows_ask(struct db *db)
{
    DB_ROWS(rows);
    if (db->kept != NULL) {
        db_asked(read_generation(db, &rows, NULL));
    }
}

// The query and its values as bytes. Zero: they are too long, or one is NULL.
static size_t key_of(const char *sql, const struct db_value *values, size_t count, uint8_t key[KEY_BYTES_MAX])
{
    size_t at = sizeof(sql);
    memcpy(key, &sql, sizeof(sql)); // a literal is known by its address
    for (size_t i = 0; i < count; i++) {
        const struct db_value *value = &values[i];
        const void *data = value->type == DB_INT ? &value->integer : value->data;
        const size_t bytes = value->type == DB_INT    ? sizeof(value->integer)
                             : value->type == DB_TEXT ? strlen(value->data)
                                                      : value->bytes;
        if (value->type == DB_NULL || at + sizeof(bytes) + bytes > KEY_BYTES_MAX) {
            return 0;
        }
        memcpy(key + at, &bytes, sizeof(bytes));
        memcpy(key + at + sizeof(bytes), data, bytes);
        at += sizeof(bytes) + bytes;
    }
    return at;
}

static struct db_value copy_of(struct arena *arena, struct db_value value)
{
    if (value.type == DB_TEXT || value.type == DB_BLOB) {
        uint8_t *copy = arena_alloc(arena, value.bytes + 1); // a text ends with a NUL
        if (value.bytes > 0) {
            memcpy(copy, value.data, value.bytes);
        }
        value.data = copy;
    }
    return value;
}

// Keeps the present row, and lets `rows` stand on what is kept.
static void keep(struct db_rows *rows, const uint8_t *key, size_t key_bytes)
{
    struct db *db = rows->db;
    struct arena arena = ARENA_EMPTY;
    struct kept_row *row = ARENA_NEW(&arena, struct kept_row);
    row->column_count = (size_t)db->driver->column_count(rows);
    row->values = arena_alloc(&arena, row->column_count * sizeof(*row->values));
    row->names = arena_alloc(&arena, row->column_count * sizeof(*row->names));
    for (size_t i = 0; i < row->column_count; i++) {
        row->values[i] = copy_of(&arena, db->driver->column(rows, (int)i));
        row->names[i] = arena_strdup(&arena, db->driver->column_name(rows, (int)i));
    }
    if (db->kept->rows.count == ROWS_MAX) {
        drop_all(db->kept);
    }
    table_insert(&db->kept->rows, &row->node, arena_memdup(&arena, key, key_bytes), key_bytes);
    db_rows_close(rows);
    rows->kept = row;
    row->uses = 2;
    row->arena = arena;
}

enum errc kept_one_values(struct db *db, struct db_rows *rows, const char *missing, struct err *err,
                          const char *sql, const struct db_value *values, size_t count)
{
    uint8_t key[KEY_BYTES_MAX];
    const size_t key_bytes = db->kept != NULL ? key_of(sql, values, count, key) : 0;
    if (key_bytes == 0) {
        return db_one_values(db, rows, missing, err, sql, values, count);
    }
    db_rows_close(rows);
    // Who asks ahead goes by the rows of before. If they are out of date, other questions follow.
    enum errc rc = db->asking ? OK : check_generation(db, err);
    if (rc != OK) {
        return rc;
    }
    struct table_node *node = table_find(&db->kept->rows, key, key_bytes);
    if (node != NULL) {
        rows->db = db;
        rows->kept = CONTAINER_OF(node, struct kept_row, node);
        rows->kept->uses++;
        return OK;
    }
    rc = db_one_values(db, rows, missing, err, sql, values, count);
    if (rc == OK) {
        keep(rows, key, key_bytes);
    }
    return rc;
}
