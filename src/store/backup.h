// A copy of the whole database as of one moment, taken beside a running service.
#pragma once

#include "base/err.h"

// Copies into a new file, mode 0600, durable when this returns; nothing is left of it on failure. Nobody's
// write waits for it. ERR_CONFIG: the file is there already or cannot be made, or the database is not
// SQLite's; ERR_STORE.
enum errc backup(const char *database, const char *path, struct err *err) MUST_CHECK;
