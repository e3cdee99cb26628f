// A file beside the database says that the service shut down cleanly, and identifies the database. The next
// start trusts the database only if nothing has touched it since. A crash leaves no marker; a restored or
// moved database does not match it.
#pragma once

#include <stdbool.h>

#include "base/config.h"

// Call it at the end of a clean shutdown of a service that was ready, after the database is closed. Logs an
// error.
void shutdown_marker_write(const struct config *config);
// Call it before the database is opened. Removes the marker. False: something may have touched the database.
bool shutdown_marker_consume(const struct config *config);
