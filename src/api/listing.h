// How every list is answered: a page of it becomes {"success","data":[...],"meta":{...}}. Database thread.
#pragma once

#include "api/listing_input.h"

// Above it a total that was asked for is this number, and total_exceeded is true.
#define LISTING_TOTAL_MAX 10000
// The rows of an index, of each mode, that a page may pass, whether they match its filters or not. After them
// it ends, with a cursor from where the list goes on.
#define LISTING_PASSED_MAX 10000
// The same for a total, and for the pages before a page by its number.
#define LISTING_SKIPPED_MAX 200000
// The database's steps that a page may take before it is read in windows: a full page takes 5,000, and 2,000
// rows that do not match as many as this.
#define LISTING_STEPS_MAX 20000
// The rows of the first window.
#define LISTING_FIRST_WINDOW 2000

// Writes the members of the item for the row that `rows` stands on.
typedef enum errc listing_render(struct request *request, struct db_rows *rows, struct json_writer *json,
                                 struct err *err);

// Answers the page that listing_read read, of the rows of this owner (NULL: of every owner).
enum errc listing_answer(struct request *request, struct tx *tx, const struct uuid *owner,
                         listing_render *render, struct err *err) MUST_CHECK;
