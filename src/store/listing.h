// Lists as the API shows them: newest first, filtered, in pages. A struct listing describes each list once,
// next to its table's other queries. This builds the SQL of each request from it.
//
// The ids of listed rows are in order of time and were made with created_us, or the listing's time. So ids
// give the order, and a range of time is a range of ids, read from one end of an index. A page costs only
// what it holds, however old it is. Both modes are two such ranges, which are merged and never sorted.
#pragma once

#include "store/db.h"

// What a filter's value must be, and what it is converted to.
enum filter_form {
    FILTER_TEXT,       // unchanged
    FILTER_WORD,       // one of `words`; condition NULL: every row has it
    FILTER_ID,         // a UUID
    FILTER_EMAIL,      // folded (domain/email.h)
    FILTER_CURRENCY,   // in upper case
    FILTER_AMOUNT_MIN, // a decimal, in thousandths, rounded up
    FILTER_AMOUNT_MAX, // the same, rounded down
    FILTER_SINCE,      // a time; needs no condition
    FILTER_UNTIL,      // a time; needs no condition
    FILTER_BY_MONTH,   // true or false: whether the condition holds for the present month (time_month)
    FILTER_FLAG,       // true or false, as 1 or 0
    FILTER_LIVEMODE,   // true or false; needs no condition
};

struct filter_word {
    const char *word;
    const char *also; // SQL that follows from the word and is the condition of a partial index; NULL: none
};

// How the rows of a filter's value are found, from the slowest way to the fastest.
enum filter_reach {
    REACH_TEST,  // each row of the list is tested, in an index or in its table
    REACH_PART,  // a partial index holds them and others, in the order of the ids (words with `also`)
    REACH_RANGE, // an index holds just them, in the order of the ids (of words: those with `also`)
    REACH_FEW,   // an index finds them, and they are few
    REACH_OWNER, // the filter names the owner of the list
};

// A filter's SQL condition: `:value` stands for the filter's value, `:owner` for the owner of the list,
// `:mode` for the mode that is read, 0 or 1.
struct filter {
    const char *name; // in the query string
    enum filter_form form;
    const char *condition;
    const struct filter_word *words; // ends with a NULL word
    enum filter_reach reach;
};

struct listing {
    const char *name; // a cursor is valid for the list of this name only
    const char *table;
    const char *columns; // the first is id
    const char *owner;   // SQL with :owner
    const char *always;  // SQL that holds for every listed row; NULL: none
    const char *time;    // the column of the time that the ids were made with; NULL: created_us
    bool has_modes;
    const struct filter *filters; // ends with a NULL name
};

#define LISTING_CONDITIONS_MAX 32

struct listing_condition {
    const char *sql;
    const char *also; // of the filter's word
    struct db_value value;
    bool has_value;
    enum filter_reach reach;
};

// One request for a list. What it points to must outlive it.
struct listing_query {
    const struct listing *listing;
    const struct uuid *owner; // NULL: everybody's
    bool test, live;          // the modes to read, if the listing has modes; at least one
    const struct uuid *from;  // ids from this one on; NULL: from the oldest
    const struct uuid *below; // ids lower than this one; NULL: to the newest
    struct listing_condition conditions[LISTING_CONDITIONS_MAX];
    size_t condition_count;
};

// Adds the condition of a filter; word NULL: the filter has none.
void listing_filter(struct listing_query *query, const struct filter *filter, const struct filter_word *word,
                    struct db_value value);
// Adds a condition that is tested for each row, with and without a value.
void listing_where(struct listing_query *query, const char *sql, struct db_value value);
void listing_where_plain(struct listing_query *query, const char *sql);
// Exact in microseconds, and as cheap as a range of ids, although ids have only milliseconds. The ids are
// made in the arena.
void listing_since(struct listing_query *query, int64_t since_us, struct arena *arena);
void listing_until(struct listing_query *query, int64_t until_us, struct arena *arena);
// Only rows with lower ids.
void listing_below(struct listing_query *query, const struct uuid *id);

// Starts to read the newest `limit` rows, newest first, in the listing's columns.
enum errc listing_rows(struct db *db, const struct listing_query *query, int64_t limit, struct db_rows *rows,
                       struct err *err) MUST_CHECK;
// The id of the row number `count`; *has is false if there are fewer.
enum errc listing_nth(struct db *db, const struct listing_query *query, int64_t count, struct uuid *id,
                      bool *has, struct err *err) MUST_CHECK;
// Whether reading the list may pass rows that do not match. If not, each row of an index's range matches.
bool listing_passes_rows(const struct listing_query *query);
// The id that is `count` rows further in the index that is read: a list of rows from it on passes no more
// than `count`. In one mode, if the listing has modes. *has is false if there are fewer.
enum errc listing_nth_passed(struct db *db, const struct listing_query *query, int64_t count, struct uuid *id,
                             bool *has, struct err *err) MUST_CHECK;
// How many rows there are, but counts no further than `max`.
enum errc listing_count(struct db *db, const struct listing_query *query, int64_t max, int64_t *count,
                        struct err *err) MUST_CHECK;
