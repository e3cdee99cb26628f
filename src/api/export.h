// A whole list as CSV, for callers that accept text/csv. It is read from the database in pieces, each in a
// job of its own that passes a bounded number of rows, and only after the client has taken the piece before,
// so a list of any length costs the memory of one piece. If the key stops working, or the service stops, the
// body is cut, so the client notices.
#pragma once

#include "api/listing.h"

// If the request asks for CSV, sets request->export and adds an error for each parameter that CSV excludes.
// Errors are JSON all the same. Loop thread.
void export_read(struct request *request);

// A column: a field of the list's items, or a field within one that is an object.
struct export_column {
    const char *title;
    const char *name;
    const char *within; // NULL: the field itself
};

// Instead of listing_answer, where request->export is set. The columns end with a NULL title. Database
// thread.
enum errc export_answer(struct request *request, struct tx *tx, const struct uuid *owner,
                        listing_render *render, const struct export_column *columns,
                        struct err *err) MUST_CHECK;

// --- for pipeline.c: loop thread, and nothing where request->export is NULL
// Once it is known who asks, with the first piece read: whether the list may be sent now.
bool export_begin(struct request *request) MUST_CHECK;
bool export_has_more(const struct request *request); // pieces after this one
// A later piece; the request may be gone afterwards. False: the rows that were passed match no filter, and
// nothing was sent: the next piece is to be read.
bool export_send_piece(struct request *request) MUST_CHECK;
void export_end(struct request *request);
