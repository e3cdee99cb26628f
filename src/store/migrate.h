// The schema, as numbered steps that only ever get longer. A database knows how many it has.
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "store/db.h"

// Applies the missing steps, each in its own transaction. ERR_CONFIG where the database was made by a newer
// program.
enum errc migrate(struct db *db, struct err *err) MUST_CHECK;

// Whether `migrate` would take the database, without changing it; *version is its schema's, 0 before the
// first step.
enum errc migrate_look(struct db *db, int64_t *version, struct err *err) MUST_CHECK;

// Whether the database has this program's schema. ERR_CONFIG: it has an older or a newer one.
enum errc migrate_check(struct db *db, struct err *err) MUST_CHECK;

// As `migrate`, with other steps than the program's own (schema.h).
enum errc migrate_steps(struct db *db, const char *const *steps, size_t count, struct err *err) MUST_CHECK;
