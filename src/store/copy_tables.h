// The tables that a copy (copy.h) takes, each after those that it refers to. A test compares the lists with
// the databases' catalogues.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct copy_table {
    const char *name;
    const char *key;    // the columns of its primary key, in order
    const char *rows;   // SQL: those that are copied; NULL: all
    const char *in_use; // SQL: the rows that only a database in use has; NULL: any
    bool has_leases;    // node_id, which is copied as NULL: no node that is named there is left
};

extern const struct copy_table copy_tables[];
extern const size_t copy_table_count;

// The tables of which each database has its own rows. Ends with NULL.
extern const char *const copy_tables_left_out[];
