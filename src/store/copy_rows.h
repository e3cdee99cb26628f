// The rows of one table of a copy (copy.h): copies and compares them in the order of the primary key, which
// is the same in every database (bytes, and texts by their bytes). So the target always holds the first rows
// of the source, and a copy goes on after the target's last key.
#pragma once

#include "store/copy_tables.h"
#include "store/db.h"

// Two connections and a table.
struct copy_rows {
    struct db *from;
    struct db *to;
    const struct copy_table *table;
    struct arena *arena; // for the SQL: it must outlive the connections
    // Called after each batch with the number of its rows.
    void (*done)(void *context, int64_t rows);
    void *context;
};

// How many rows the table has that are copied. In a transaction.
enum errc copy_rows_count(struct db *db, const struct copy_table *table, struct arena *arena, int64_t *count,
                          struct err *err) MUST_CHECK;
// Copies what the target lacks, each batch in a transaction. A message of ERR_STORE names the table, and the
// row if it is damaged.
enum errc copy_rows(struct copy_rows *copy, struct err *err) MUST_CHECK;
// Reads all rows of both again. ERR_STORE: one differs, or is missing in one of them.
enum errc copy_rows_compare(struct copy_rows *copy, struct err *err) MUST_CHECK;
