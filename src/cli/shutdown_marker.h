// Whether a database is the very one that the service last stopped with, and nothing has touched it since. A
// file beside it says which one that was; a crash leaves none, and a restored or moved database is another
// one.
#pragma once

#include <stdbool.h>

#include "base/config.h"

// At the end of a stop in good order, when the database is closed, of a service that had become ready. Where
// it cannot be written, that is logged.
void shutdown_marker_write(const struct config *config);
// At start, before the database is opened; the mark is gone then. False: it may be another one.
bool shutdown_marker_consume(const struct config *config);
