// See listing.h. One row more than the page shows is read, to know whether there is another page. For a page
// by its number, the last row of the pages before is found first, so that only ids are skipped. The count and
// the page come from one transaction, so they agree.
#include "api/listing.h"

#include "api/api_private.h"
#include "api/cursor.h"

struct page {
    struct json_writer json; // at the items
    struct uuid last;        // of the rows shown
    int64_t count;
    bool has_more;
};

// total: NULL if it was not asked for.
static void answer(struct request *request, struct page *page, const int64_t *total)
{
    const struct listing_input *input = request->input;
    struct json_writer *json = &page->json;
    json_close(json);
    json_open_object(json, "meta");
    if (input->after == NULL) {
        json_write_i64(json, "page", input->page);
    }
    json_write_i64(json, "page_size", input->page_size);
    if (total != NULL && *total <= LISTING_TOTAL_MAX) {
        json_write_i64(json, "total", *total);
    } else if (total != NULL) {
        json_write_i64(json, "total", LISTING_TOTAL_MAX);
        json_write_bool(json, "total_exceeded", true);
    }
    json_write_bool(json, "has_more", page->has_more);
    const char *next = page->has_more ? cursor_make(request->api->keyring, request->arena,
                                                    input->query.listing->name, &page->last)
                                      : NULL;
    json_write_str(json, "next_cursor", next);
    request_answer(request, 200, json);
}

static enum errc read_page(struct request *request, struct tx *tx, const struct listing_query *query,
                           listing_render *render, struct page *page, struct err *err)
{
    const struct listing_input *input = request->input;
    DB_ROWS(rows);
    enum errc rc = listing_rows(tx->db, query, input->page_size + 1, &rows, err);
    if (rc == OK) {
        rc = db_next(&rows, &page->has_more, err);
    }
    while (rc == OK && page->has_more && page->count < input->page_size) {
        json_open_object(&page->json, NULL);
        rc = render(request, &rows, &page->json, err);
        json_close(&page->json);
        if (rc == OK) {
            page->last = db_uuid(&rows, 0);
            page->count++;
            rc = db_next(&rows, &page->has_more, err);
        }
    }
    return rc;
}

// The end of the page before this one. *has is false if the list is not so long.
static enum errc find_start(struct request *request, struct tx *tx, const struct listing_query *query,
                            const struct uuid **end, bool *has, struct err *err)
{
    const struct listing_input *input = request->input;
    const int64_t before = (input->page - 1) * input->page_size;
    *end = input->after;
    *has = true;
    if (before == 0) {
        return OK;
    }
    struct uuid *last = ARENA_NEW(request->arena, struct uuid);
    *end = last;
    return listing_nth(tx->db, query, before, last, has, err);
}

static enum errc read_list(struct request *request, struct tx *tx, struct listing_query *query,
                           listing_render *render, struct page *page, int64_t *total, struct err *err)
{
    const struct listing_input *input = request->input;
    const struct uuid *end = NULL;
    bool has = false;
    enum errc rc = input->count ? listing_count(tx->db, query, LISTING_TOTAL_MAX + 1, total, err) : OK;
    if (rc == OK) {
        rc = find_start(request, tx, query, &end, &has, err);
    }
    if (rc != OK || !has) {
        return rc;
    }
    if (end != NULL) {
        listing_below(query, end);
    }
    return read_page(request, tx, query, render, page, err);
}

enum errc listing_answer(struct request *request, struct tx *tx, const struct uuid *owner,
                         listing_render *render, struct err *err)
{
    const struct listing_input *input = request->input;
    struct listing_query query; // a copy: this may run again
    struct page page = {.json = json_writer(request->arena)};
    int64_t total = 0;
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
