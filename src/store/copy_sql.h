// The SQL texts of a copy, in the arena. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "store/copy_tables.h"
#include "store/value.h"

#define COPY_KEY_COLUMNS_MAX 4

size_t copy_key_columns(const struct copy_table *table);
// The first COPY_BATCH_ROWS rows in the order of the key, or those after the key that the parameters are.
#define COPY_BATCH_ROWS 1000
const char *copy_select_sql(const struct copy_table *table, bool is_after, struct arena *arena);
// The key of the last row.
const char *copy_last_sql(const struct copy_table *table, struct arena *arena);
const char *copy_count_sql(const struct copy_table *table, struct arena *arena);
// Inserts a row with the columns of the present one.
const char *copy_insert_sql(const struct copy_table *table, struct db_rows *rows, struct arena *arena);
