// See listing.h. One row more than the page shows is read, to know whether there is another page. For a page
// by its number, the last row of the pages before is found first, so that only ids are skipped. The total and
// the page come from one transaction, so they agree. Each passes a bounded number of rows.
#include "api/listing.h"

#include "api/api_private.h"
#include "api/cursor.h"
#include "api/fields.h"
#include "store/listing_scan.h"

struct page {
    struct json_writer json; // at the items
    struct uuid last;        // of the rows shown or passed
    int64_t count;
    bool has_more;
    bool is_cut; // it has taken LISTING_STEPS_MAX, and the list may go on
};

struct total {
    int64_t count;
    bool exceeded; // there are more, or there may be
};

// total: NULL if it was not asked for.
static void answer(struct request *request, struct page *page, const struct total *total)
{
    const struct listing_input *input = request->input;
    struct json_writer *json = &page->json;
    json_close(json);
    json_open_object(json, "meta");
    if (input->after == NULL) {
        json_write_i64(json, "page", input->page);
    }
    json_write_i64(json, "page_size", input->page_size);
    if (total != NULL) {
        json_write_i64(json, "total", total->count);
    }
    if (total != NULL && total->exceeded) {
        json_write_bool(json, "total_exceeded", true);
    }
    json_write_bool(json, "has_more", page->has_more);
    const char *next = page->has_more ? cursor_make(request->api->keyring, request->arena,
                                                    input->query.listing->name, &page->last)
                                      : NULL;
    json_write_str(json, "next_cursor", next);
    request_answer(request, 200, json);
}

// Adds the rows of a query, until the page is full and it is known whether there are more. steps_max 0: it
// may take as many steps as it needs.
static enum errc add_rows(struct request *request, struct tx *tx, const struct listing_query *query,
                          int steps_max, listing_render *render, struct page *page, struct err *err)
{
    const struct listing_input *input = request->input;
    DB_ROWS(rows);
    enum errc rc = listing_rows(tx->db, query, input->page_size + 1 - page->count, &rows, err);
    bool has = false;
    if (rc == OK && steps_max > 0) {
        db_limit(&rows, steps_max);
    }
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    while (rc == OK && has && page->count < input->page_size) {
        const size_t before = page->json.bytes;
        json_open_object(&page->json, NULL);
        rc = render(request, &rows, &page->json, err);
        json_close(&page->json);
        if (rc == OK && page->count == 0) { // the others are about as long
            json_reserve(&page->json, (size_t)input->page_size * (page->json.bytes - before));
        }
        if (rc == OK) {
            page->last = db_uuid(&rows, 0);
            page->count++;
            rc = db_next(&rows, &has, err);
        }
    }
    page->has_more = rc == OK && has;
    page->is_cut = rows.is_cut;
    return rc;
}

// Adds what comes after the page's last row, window by window. `first`: rows in the first one.
static enum errc add_windows(struct request *request, struct tx *tx, const struct listing_query *query,
                             int64_t first, listing_render *render, struct page *page, struct err *err)
{
    const struct listing_input *input = request->input;
    const int64_t wanted = input->page_size + 1;
    const struct uuid last = page->last;
    struct listing_query rest = *query;
    if (page->count > 0) {
        listing_below(&rest, &last);
    }
    struct listing_scan scan;
    listing_scan_begin(&scan, &rest, first, LISTING_PASSED_MAX);
    bool has = true;
    enum errc rc = OK;
    while (rc == OK && has && !page->has_more) {
        rc = listing_scan_next(&scan, tx->db, page->count, wanted, &has, err);
        if (rc == OK && has) {
            rc = add_rows(request, tx, &scan.window, 0, render, page, err);
        }
    }
    if (rc == OK && !page->has_more && scan.more) {
        page->has_more = true;
        page->last = scan.end;
    }
    return rc;
}

// Most pages are found within a few steps. To find the end of a window first would take longer than to read
// them. A database that cannot count its steps begins with a small window.
static enum errc read_page(struct request *request, struct tx *tx, const struct listing_query *query,
                           listing_render *render, struct page *page, struct err *err)
{
    const struct listing_input *input = request->input;
    if (!listing_passes_rows(query)) {
        return add_rows(request, tx, query, 0, render, page, err);
    }
    if (!db_can_limit(tx->db)) {
        return add_windows(request, tx, query, 2 * (input->page_size + 1), render, page, err);
    }
    const enum errc rc = add_rows(request, tx, query, LISTING_STEPS_MAX, render, page, err);
    return rc == OK && page->is_cut ? add_windows(request, tx, query, LISTING_FIRST_WINDOW, render, page, err)
                                    : rc;
}

// The id of the row number `count`; *has is false if there are fewer. ERR_VALIDATION: it is too far.
static enum errc find_row(struct request *request, struct tx *tx, const struct listing_query *query,
                          int64_t count, struct uuid *id, bool *has, struct err *err)
{
    const bool is_beyond = count > LISTING_SKIPPED_MAX;
    const int64_t wanted = is_beyond ? LISTING_SKIPPED_MAX : count;
    int64_t found = 0;
    struct listing_scan scan;
    listing_scan_begin(&scan, query, wanted, LISTING_SKIPPED_MAX); // often every row matches
    *has = false;
    bool window = true;
    enum errc rc = OK;
    while (rc == OK && window && !*has) {
        int64_t counted = 0;
        rc = listing_scan_next(&scan, tx->db, found, wanted, &window, err);
        if (rc == OK && window) {
            rc = listing_nth(tx->db, &scan.window, wanted - found, id, has, err);
        }
        if (rc == OK && window && !*has && scan.more) {
            rc = listing_count(tx->db, &scan.window, wanted - found, &counted, err);
            found += counted;
        }
    }
    if (rc == OK && (*has ? is_beyond : scan.more)) {
        request->field_errors.count = 0; // this may run again
        field_error(request, "page", "is too far into this list; follow meta.next_cursor instead");
        rc = ERR_VALIDATION;
    }
    return rc;
}

static enum errc count_rows(struct tx *tx, const struct listing_query *query, struct total *total,
                            struct err *err)
{
    const int64_t wanted = LISTING_TOTAL_MAX + 1;
    struct listing_scan scan;
    listing_scan_begin(&scan, query, wanted, LISTING_SKIPPED_MAX);
    bool has = true;
    enum errc rc = OK;
    while (rc == OK && has && total->count < wanted) {
        int64_t count = 0;
        rc = listing_scan_next(&scan, tx->db, total->count, wanted, &has, err);
        if (rc == OK && has) {
            rc = listing_count(tx->db, &scan.window, wanted - total->count, &count, err);
        }
        total->count += count;
    }
    total->exceeded = scan.more || total->count == wanted;
    total->count = total->count > LISTING_TOTAL_MAX ? LISTING_TOTAL_MAX : total->count;
    return rc;
}

static enum errc read_list(struct request *request, struct tx *tx, struct listing_query *query,
                           listing_render *render, struct page *page, struct total *total, struct err *err)
{
    const struct listing_input *input = request->input;
    const int64_t before = (input->page - 1) * input->page_size;
    struct uuid start;
    bool has = true;
    enum errc rc = input->count ? count_rows(tx, query, total, err) : OK;
    if (rc == OK && input->after != NULL) {
        listing_below(query, input->after);
    } else if (rc == OK && before > 0) {
        rc = find_row(request, tx, query, before, &start, &has, err);
        if (rc == OK && has) {
            listing_below(query, &start);
        }
    }
    return rc == OK && has ? read_page(request, tx, query, render, page, err) : rc;
}

enum errc listing_answer(struct request *request, struct tx *tx, const struct uuid *owner,
                         listing_render *render, struct err *err)
{
    const struct listing_input *input = request->input;
    struct listing_query query; // a copy: this may run again
    struct page page = {.json = json_writer(request->arena)};
    struct total total = {0};
    enum errc rc = OK;
    json_open_object(&page.json, NULL);
    json_write_bool(&page.json, "success", true);
    json_open_array(&page.json, "data");
    if (listing_query_of(request, owner, &query)) {
        rc = read_list(request, tx, &query, render, &page, &total, err);
    }
    if (rc == OK) {
        answer(request, &page, input->count ? &total : NULL);
    }
    return rc;
}
