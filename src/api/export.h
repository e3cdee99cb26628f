// A whole list as CSV, where the caller asks for text/csv: read from the database in pieces, each a job of
// its own and each only when the client has taken the one before, so that a list of any length costs the
// memory of one piece. A key that stops working ends it; so does the end of the service. Both are seen: the
// body is cut.
#pragma once

#include "api/listing.h"

// Where the request asks for CSV, sets request->export, and notes what does not go with it. Errors are JSON
// all the same. Loop thread.
void export_read(struct request *request);

// A column: a field of the list's items, or a field within one that is an object.
struct export_column {
    const char *title;
    const char *name;
    const char *within; // NULL: the field itself
};

// In place of listing_answer, where request->export is set. Database thread.
enum errc export_answer(struct request *request, struct tx *tx, const struct uuid *owner,
                        listing_render *render, const struct export_column *columns,
                        struct err *err) MUST_CHECK; // columns end with a NULL title
