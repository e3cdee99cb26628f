// Reads a list whose filters may match little with bounded work. The list is read in windows: ranges of ids
// that hold a known number of rows of the index that is read, whether they match or not. Those after the
// first one are as large as the rows found so far suggest. When as many rows were passed as the caller
// allows, the scan ends before the list does, and says where.
//
// A list that passes no rows (listing_passes_rows) is one window.
#pragma once

#include "store/listing.h"

struct listing_scan {
    struct listing_query window; // what to read, count or step over
    bool more;                   // the list goes on after the window, or after the end of the scan:
    struct uuid end;             // with ids lower than this one
    // Only listing_scan.c uses these.
    const struct listing_query *query;
    struct uuid from, below; // of the window
    int64_t first;           // rows in the first window
    int64_t passed;          // rows in the windows so far, of each mode
    int64_t passed_max;
    bool begun;
};

// The query must outlive the scan. `first` is the number of rows in the first window, passed_max the number
// that the scan may pass, both of each mode. It passes them at most twice: to find a window's end, and to
// read it.
void listing_scan_begin(struct listing_scan *scan, const struct listing_query *query, int64_t first,
                        int64_t passed_max);
// Moves to the next window. The caller has found so many rows of those that it wants. *has is false if there
// is no window: the list has ended, or the scan (`more`).
enum errc listing_scan_next(struct listing_scan *scan, struct db *db, int64_t found, int64_t wanted,
                            bool *has, struct err *err) MUST_CHECK;
