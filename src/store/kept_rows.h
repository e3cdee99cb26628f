// Rows that almost every request needs and that rarely change: of api_keys, merchants, credentials and
// credential_versions. Each connection of the server keeps those it has read, without locks. They are valid
// under a generation: a random value in the database that triggers replace with every change of these tables,
// in the transaction of the change, whichever process makes it. A value never comes back, so equal values
// mean equal rows, also after a rollback. Each transaction reads the generation before it uses a kept row,
// and again after it has changed it. See docs/decisions/kept-rows.md.
#pragma once

#include "store/db.h"

// From now on the connection keeps rows; others read them every time.
void kept_rows_start(struct db *db);
void kept_rows_stop(struct db *db);

// Asks ahead for the generation (db.asking).
void kept_rows_ask(struct db *db);

// The transaction has locked something: rows that were right before that may have changed until then.
void kept_rows_recheck(struct db *db);

// As db_one_values, for a query that only reads the tables above.
enum errc kept_one_values(struct db *db, struct db_rows *rows, const char *missing, struct err *err,
                          const char *sql, const struct db_value *values, size_t count) MUST_CHECK;
#define kept_one(db, rows, missing, err, sql, ...)                                                           \
    kept_one_values((db), (rows), (missing), (err), (sql), DB_VALUES(__VA_ARGS__))
