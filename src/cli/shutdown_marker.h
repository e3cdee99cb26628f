// A file says that the service shut down cleanly, and identifies the database. The next start trusts the
// database only if nothing has touched it since. A crash leaves no marker; a restored or moved database does
// not match it. Where several nodes share a database (store/node.h), the file holds the mark that the last of
// them left in it.
#pragma once

#include <stdbool.h>

#include "base/config.h"
#include "base/uuid.h"

// Call it at the end of a clean shutdown of a service that was ready, after the database is closed. Logs an
// error. mark: what this process left in a shared database; nil: nothing, so no file is written.
void shutdown_marker_write(const struct config *config, const struct uuid *mark);
// Call it before the database is opened. Removes the marker. False: something may have touched the database,
// or it is a shared one: then *mark is what must be found in it, or nil.
bool shutdown_marker_consume(const struct config *config, struct uuid *mark);
