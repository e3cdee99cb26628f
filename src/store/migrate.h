// The schema is a list of numbered steps that is only ever appended to. A database records how many it has.
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "store/db.h"

// Applies the missing steps, each in its own transaction. ERR_CONFIG: a newer program made the database.
enum errc migrate(struct db *db, struct err *err) MUST_CHECK;

// Reads the version of the schema without changing anything; 0: before the first step. ERR_CONFIG as migrate.
enum errc migrate_look(struct db *db, int64_t *version, struct err *err) MUST_CHECK;

// Whether the database has this program's schema. ERR_CONFIG: it has an older or a newer one.
enum errc migrate_check(struct db *db, struct err *err) MUST_CHECK;

// As `migrate`, with other steps than the program's own (schema.h).
enum errc migrate_steps(struct db *db, const char *const *steps, size_t count, struct err *err) MUST_CHECK;
