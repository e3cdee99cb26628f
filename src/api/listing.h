// How every list is answered: a page of it becomes {"success","data":[...],"meta":{...}}. Database thread.
#pragma once

#include "api/listing_input.h"

// Above it a total that was asked for is this number, and total_exceeded is true.
#define LISTING_TOTAL_MAX 10000

// Makes the answer's item of the row that `rows` stands on; the caller releases it. The arena is for what the
// item needs meanwhile.
typedef enum errc listing_render(struct request *request, struct db_rows *rows, struct arena *arena,
                                 struct json_object **item, struct err *err);

// Answers the page that listing_read read, of the rows of this owner (NULL: of every owner).
enum errc listing_answer(struct request *request, struct tx *tx, const struct uuid *owner,
                         listing_render *render, struct err *err) MUST_CHECK;
