// The service's own rows, read by a connection of the simulation's. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/uuid.h"

void rows_close(sqlite3_stmt **statement);
#define ROWS __attribute__((cleanup(rows_close))) sqlite3_stmt *

// False: the service is down, and its database not to be read.
bool rows_open(void);
// `:now` in the text is the service's time.
sqlite3_stmt *rows_of(const char *sql);
void rows_change(const char *sql);
// The first column of the first row; 0: there is none.
int64_t rows_number(const char *sql);
const char *rows_text(sqlite3_stmt *rows, int column);
// A column that is an id.
void rows_id(sqlite3_stmt *rows, int column, char out[UUID_TEXT_BYTES]);
// Each row is a violation of `what`, its first column says by whom.
void rows_none(const char *what, const char *sql);
