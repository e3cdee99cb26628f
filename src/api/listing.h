// How every list is answered: its listing (store/listing.h) says which filters there are and what they ask of
// the database; here the query string is read by them, and a page becomes
// {"success","data":[...],"meta":{...}}.
#pragma once

#include "api/request.h"
#include "store/listing.h"

// Above it meta.total says so, with total_exceeded: no list costs a count of a whole table.
#define LISTING_TOTAL_MAX 10000

struct listing_input {
    struct listing_query query;
    int64_t page;
    int64_t page_size;
    bool has_cursor; // then neither page nor total
};

// Reads page, page_size, cursor and the listing's filters into request->input, a struct listing_input, and
// notes whatever is wrong by its name. Loop thread.
void listing_read(struct request *request, const struct listing *listing);

// Which filter was given, NULL: not.
const char *listing_given(const struct request *request, const char *name);

// Makes the answer's item of the row that `rows` stands on; the caller releases it. What is needed meanwhile,
// in the arena.
typedef enum errc listing_render(struct request *request, struct db_rows *rows, struct arena *arena,
                                 struct json_object **item, struct err *err);

// What was read, for the rows that are this owner's (NULL: everybody's) and in modes that the key may see;
// false where it may see none of them.
bool listing_query_of(const struct request *request, const struct uuid *owner, struct listing_query *query);

// Answers the page that was read, of the rows that are this owner's (NULL: everybody's) and in modes that the
// key may see. Database thread.
enum errc listing_answer(struct request *request, struct tx *tx, const struct uuid *owner,
                         listing_render *render, struct err *err) MUST_CHECK;
