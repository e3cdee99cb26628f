// See listing_scan.h. Database thread.
#include "store/listing_scan.h"

#include <string.h>

#define GROWTH 8 // of the windows while nothing is found

void listing_scan_begin(struct listing_scan *scan, const struct listing_query *query, int64_t first,
                        int64_t passed_max)
{
    *scan = (struct listing_scan){.query = query, .window = *query, .first = first, .passed_max = passed_max};
}

static int64_t rows_of_window(const struct listing_scan *scan, int64_t found, int64_t wanted)
{
    const int64_t left = scan->passed_max - scan->passed;
    int64_t rows = scan->first;
    if (scan->begun && found == 0) {
        rows = scan->passed * GROWTH;
    } else if (scan->begun) {
        rows = scan->passed * (wanted - found) / found * 5 / 4 + wanted; // a quarter more than at that rate
    }
    return rows < left ? rows : left;
}

// Looks for the end of the window in one mode; of two modes, the higher end counts.
static enum errc find_end_in(struct listing_scan *scan, struct db *db, bool live, int64_t rows,
                             struct err *err)
{
    struct listing_query query = scan->window;
    query.live = live;
    query.test = !live;
    struct uuid end;
    bool has = false;
    enum errc rc = listing_nth_passed(db, &query, rows, &end, &has, err);
    if (rc == OK && has && (!scan->more || memcmp(end.bytes, scan->end.bytes, sizeof(end.bytes)) > 0)) {
        scan->end = end;
        scan->more = true;
    }
    return rc;
}

static enum errc find_end(struct listing_scan *scan, struct db *db, int64_t rows, struct err *err)
{
    const struct listing_query *query = scan->query;
    const bool has_modes = query->listing->has_modes;
    enum errc rc = OK;
    if (!has_modes || query->test) {
        rc = find_end_in(scan, db, false, rows, err);
    }
    if (rc == OK && has_modes && query->live) {
        rc = find_end_in(scan, db, true, rows, err);
    }
    return rc;
}

enum errc listing_scan_next(struct listing_scan *scan, struct db *db, int64_t found, int64_t wanted,
                            bool *has, struct err *err)
{
    *has = !scan->begun || (scan->more && scan->passed < scan->passed_max);
    if (!*has) {
        return OK;
    }
    const int64_t rows = rows_of_window(scan, found, wanted);
    scan->window = *scan->query;
    if (scan->begun) {
        scan->below = scan->end;
        scan->window.below = &scan->below;
    }
    scan->begun = true;
    scan->more = false;
    if (!listing_passes_rows(scan->query)) {
        return OK;
    }
    scan->passed += rows;
    const enum errc rc = find_end(scan, db, rows, err);
    if (rc == OK && scan->more) {
        scan->from = scan->end;
        scan->window.from = &scan->from;
    }
    return rc;
}
