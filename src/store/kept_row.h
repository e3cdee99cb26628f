// A row that a connection keeps (kept_rows.h), as the columns of db.h read it.
#pragma once

#include "base/arena.h"
#include "base/table.h"
#include "store/value.h"

struct kept_row {
    struct table_node node;
    struct arena arena; // holds the row itself
    size_t uses;        // by the connection, and by struct db_rows that stand on it
    size_t column_count;
    struct db_value *values;
    const char **names;
};

static inline void kept_row_release(struct kept_row *row)
{
    if (--row->uses == 0) {
        struct arena arena = row->arena;
        arena_release(&arena);
    }
}
