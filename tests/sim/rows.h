// The rows of the service's database, read through the simulation's own connection. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/uuid.h"

void rows_close(sqlite3_stmt **statement);
#define ROWS __attribute__((cleanup(rows_close))) sqlite3_stmt *

// Returns false if the service is down, so that its database cannot be read.
bool rows_open(void);
// Prepares a query, once for each start of the service; `sql` is a literal, known by its address. `:now` in
// it is the service's wall clock in microseconds.
sqlite3_stmt *rows_query(const char *sql);
// The same, with a UUID as its first parameter.
sqlite3_stmt *rows_of_id(const char *sql, const char *id);
// Runs a statement that changes rows.
void rows_change(const char *sql);
// The first column of the first row; 0: no row. `sql` is a literal.
int64_t rows_int64(const char *sql);
const char *rows_text(sqlite3_stmt *rows, int column);
// Formats a column that is a UUID.
void rows_id(sqlite3_stmt *rows, int column, char out[UUID_TEXT_BYTES]);
// Reports each row as a violation of `what`; the first column identifies the offender.
void rows_expect_none(const char *what, const char *sql);
