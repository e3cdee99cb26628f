// Lists as the API shows them: newest first, filtered, in pages. A list is described once, beside its table's
// other queries, as a listing; this builds the SQL of each request from it.
//
// What is listed has ids that are time-ordered and were made with created_us, so an id is a row's place in
// the order, and a range of time is a range of ids, read from one end of an index. A page costs what it
// holds, however far behind the newest it is. Both modes are two such ranges, merged and never sorted.
#pragma once

#include "store/db.h"

// What a filter's value must be, and what it becomes.
enum filter_form {
    FILTER_TEXT,       // as it is
    FILTER_WORD,       // one of `words`
    FILTER_ID,         // a UUID
    FILTER_EMAIL,      // folded (domain/email.h)
    FILTER_CURRENCY,   // in upper case
    FILTER_AMOUNT_MIN, // a decimal, in thousandths, up to the next whole one
    FILTER_AMOUNT_MAX, // down
    FILTER_SINCE,      // a time, as the next two without a condition of its own
    FILTER_UNTIL,      //
    FILTER_BY_MONTH,   // true or false: whether the condition holds of the present month (time_month)
    FILTER_LIVEMODE,   // true or false
};

struct filter_word {
    const char *word;
    const char *also; // SQL that follows from it, where that is what a partial index is over; NULL: nothing
};

// SQL of a condition: `:value` stands for the filter's value, `:owner` for whose list it is, `:mode` for 0 or
// 1, the mode that is being read.
struct filter {
    const char *name; // in the query string
    enum filter_form form;
    const char *condition;
    const struct filter_word *words; // ends with a NULL word
};

struct listing {
    const char *name; // a cursor of one list is none of another
    const char *table;
    const char *columns; // the first is id
    const char *owner;   // SQL, of :owner
    const char *always;  // SQL that holds for every row listed; NULL: nothing
    bool has_modes;
    const struct filter *filters; // ends with a NULL name
};

#define LISTING_CONDITIONS_MAX 32

struct listing_condition {
    const char *sql;
    struct db_value value;
    bool has_value;
};

// One request of a list. What it points to outlives it.
struct listing_query {
    const struct listing *listing;
    const struct uuid *owner; // NULL: everybody's
    bool test, live;          // the modes to read, where the listing has modes; at least one
    const struct uuid *from;  // ids from here on; NULL: from the oldest
    const struct uuid *below; // ids before this one; NULL: to the newest
    struct listing_condition conditions[LISTING_CONDITIONS_MAX];
    size_t condition_count;
};

// Adds a condition, with and without a value.
void listing_where(struct listing_query *query, const char *sql, struct db_value value);
void listing_where_plain(struct listing_query *query, const char *sql);
// Times, exactly, and at the cost of a range of ids: ids tell milliseconds, times are microseconds. The ids
// are made in the arena.
void listing_since(struct listing_query *query, int64_t since_us, struct arena *arena);
void listing_until(struct listing_query *query, int64_t until_us, struct arena *arena);
// Only what is behind this row.
void listing_behind(struct listing_query *query, const struct uuid *id);

// Starts to read the newest `limit` rows, newest first, in the listing's columns.
enum errc listing_rows(struct db *db, const struct listing_query *query, int64_t limit, struct db_rows *rows,
                       struct err *err) MUST_CHECK;
// The id of the row that `count` - 1 others come before; *has is false where there are fewer.
enum errc listing_nth(struct db *db, const struct listing_query *query, int64_t count, struct uuid *id,
                      bool *has, struct err *err) MUST_CHECK;
// How many rows there are, counted up to `max` and no further.
enum errc listing_count(struct db *db, const struct listing_query *query, int64_t max, int64_t *count,
                        struct err *err) MUST_CHECK;
