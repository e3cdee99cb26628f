// What the query string of a list asks for. The listing (store/listing.h) says which filters there are; each
// one that is given becomes a condition of the query.
#pragma once

#include "api/request.h"
#include "store/listing.h"

struct listing_input {
    struct listing_query query;
    int64_t page;
    int64_t page_size;
    const struct uuid *after; // the place of the cursor; NULL: none. With one, the answer has no page number
    bool count;               // the answer has the total
};

// Reads page, page_size, cursor, count and the listing's filters into request->input, a struct listing_input.
// Adds an error for each wrong parameter. Loop thread, pure.
void listing_read(struct request *request, const struct listing *listing);

// The text of a parameter. NULL: not given.
const char *listing_given(const struct request *request, const char *name);

// The query for the rows of this owner (NULL: of every owner), in the modes that the key may see, without
// regard to the cursor. False where it may see none of them. Any thread.
bool listing_query_of(const struct request *request, const struct uuid *owner, struct listing_query *query);
