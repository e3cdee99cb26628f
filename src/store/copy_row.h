// One row of a copy (copy_rows.h): its values, its key, and how messages name it. The calling thread.
#pragma once

#include "base/arena.h"
#include "store/copy_sql.h"
#include "store/db.h"

#define COPY_COLUMNS_MAX 64

// The present row of a statement, whose values it borrows.
struct copy_row {
    struct db_value values[COPY_COLUMNS_MAX];
    size_t columns;
    struct db_value key[COPY_KEY_COLUMNS_MAX];
};

// A row's key in memory of its own.
struct copy_key {
    struct arena arena;
    struct db_value values[COPY_KEY_COLUMNS_MAX];
    size_t count; // 0: before the first row
};
void copy_key_release(struct copy_key *key);

// As it is copied.
void copy_row_read(const struct copy_table *table, struct db_rows *rows, struct copy_row *row);
void copy_key_keep(struct copy_key *key, const struct copy_table *table,
                   const struct db_value values[COPY_KEY_COLUMNS_MAX]);
// Whether names and values of the present rows are the same.
bool copy_row_is_same(struct db_rows *from, const struct copy_row *a, struct db_rows *to,
                      const struct copy_row *b);

// ERR_STORE, naming the row: a value is of no type that a column has, or a text is not UTF-8.
enum errc copy_row_check(const struct copy_table *table, const struct copy_row *row,
                         struct err *err) MUST_CHECK;
// ERR_STORE: `what` is said of the row.
enum errc copy_row_refuse(const struct copy_table *table, const struct copy_row *row, const char *what,
                          struct err *err);
// Adds to the message where it happened. Returns rc.
enum errc copy_explain(const struct copy_table *table, const struct copy_key *after, enum errc rc,
                       struct err *err);
