// The values that statements take and columns hold, and the rows of a running statement, for queries (db.h)
// and drivers (driver.h) alike.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"

struct db;
struct kept_row;

struct db_value {
    enum { DB_NULL, DB_INT, DB_TEXT, DB_BLOB, DB_FOREIGN } type; // foreign: of a type that no table has
    int64_t integer;
    const void *data; // text: NUL-terminated
    size_t bytes;     // of a blob, and of a text that was read
};
#define DB_NIL ((struct db_value){.type = DB_NULL})
#define DB_I64(value) ((struct db_value){.type = DB_INT, .integer = (value)})
// A NULL pointer is SQL NULL; DB_BYTES("", 0) is an empty blob.
#define DB_STR(text) db_text_value(text)
#define DB_BYTES(data, bytes) db_bytes_value((data), (bytes))
#define DB_ID(uuid) db_id_value(uuid)
#define DB_ID_OR_NULL(uuid) (uuid_is_nil(uuid) ? DB_NIL : DB_ID(uuid)) // a nil id is SQL NULL

static inline struct db_value db_text_value(const char *text)
{
    return (struct db_value){.type = text ? DB_TEXT : DB_NULL, .data = text};
}

static inline struct db_value db_bytes_value(const void *data, size_t bytes)
{
    return (struct db_value){.type = data ? DB_BLOB : DB_NULL, .data = data, .bytes = bytes};
}

static inline struct db_value db_id_value(const struct uuid *id)
{
    return db_bytes_value(id ? id->bytes : NULL, sizeof(id->bytes));
}

// A running statement.
struct db_rows {
    struct db *db;
    void *statement;
    struct kept_row *kept; // the present row; NULL: the statement's
    bool is_cut;           // it was ended by db_limit
};
