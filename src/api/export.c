// See export.h. The job of a piece may run again, so it changes only the piece and its last row. When the
// piece is sent, that row becomes the one before the next piece.
#include "api/export.h"

#include <string.h>
#include <strings.h>

#include "api/api_private.h"
#include "api/csv.h"
#include "api/fields.h"
#include "api/slots.h"
#include "base/require.h"
#include "base/text.h"
#include "store/listing_scan.h"

// Limits of a piece: about 2 ms of a database thread.
#define PIECE_ROWS_MAX 250
#define PIECE_BYTES_ENOUGH (128 * 1024)
// Without it, spreadsheets read UTF-8 as the machine's legacy code page.
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct export_state {
    struct slot slot;
    struct uuid after; // the row before the piece
    struct uuid last;  // its last row, or the last that was passed
    int64_t rows;      // in the piece
    bool begun;        // the first piece is sent
    bool over;         // nothing comes after it
    struct buf piece;
};

void export_read(struct request *request)
{
    static const char *const pages[] = {"page", "page_size", "cursor", "count"};
    const char *accept = http_exchange_header_list(request->exchange, "Accept");
    if (accept == NULL || strcasestr(accept, "text/csv") == NULL ||
        strcasestr(accept, "application/json") != NULL) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        if (listing_given(request, pages[i]) != NULL) {
            field_error(request, pages[i], "cannot be used with text/csv, which returns the whole list");
        }
    }
    request->export = ARENA_NEW(request->arena, struct export_state);
    request->export->piece = BUF_MAX(HTTP_PIECE_BYTES_MAX);
}

static void add_titles(struct buf *out, const struct export_column *columns)
{
    for (const struct export_column *column = columns; column->title != NULL; column++) {
        csv_cell(out, column->title, column == columns);
    }
    csv_end_row(out);
}

// NULL: an empty cell. The only object is metadata, whose values are strings.
static const char *cell_text(struct arena *arena, const struct json_value *value)
{
    if (!json_is(value, JSON_OBJECT)) {
        return value != NULL ? value->text : NULL;
    }
    struct json_writer json = json_writer(arena);
    json_open_object(&json, NULL);
    for (const struct json_value *each = json_first(value); each != NULL; each = json_next(value, each)) {
        json_write_str(&json, each->name, each->text);
    }
    return json_finish(&json);
}

static void add_row(struct buf *out, struct arena *arena, const struct export_column *columns,
                    const struct json_value *item)
{
    for (const struct export_column *column = columns; column->title != NULL; column++) {
        const struct json_value *value = json_read_member(item, column->name);
        if (column->within != NULL) {
            value = json_read_member(value, column->within);
        }
        csv_cell(out, cell_text(arena, value), column == columns);
    }
    csv_end_row(out);
}

// Adds the rows of one window, until the piece is full. *full: it is, and there is another row.
static enum errc add_rows(struct request *request, struct db_rows *rows, listing_render *render,
                          const struct export_column *columns, bool *full, struct err *err)
{
    struct export_state *export = request->export;
    bool has = false;
    enum errc rc = db_next(rows, &has, err);
    while (rc == OK && has && export->rows < PIECE_ROWS_MAX && export->piece.len < PIECE_BYTES_ENOUGH) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        struct json_writer json = json_writer(&arena);
        const struct json_value *item = NULL;
        json_open_object(&json, NULL);
        rc = render(request, rows, &json, err);
        if (rc == OK) {
            const char *text = json_finish(&json);
            if (json_read(&arena, text, strlen(text), JSON_VALUES_MAX, &item, NULL) != OK) {
                rc = err_set(err, ERR_STORE, "a row holds text that is not UTF-8");
            }
        }
        if (rc == OK) {
            add_row(&export->piece, &arena, columns, item);
            export->last = db_uuid(rows, 0);
            export->rows++;
            rc = db_next(rows, &has, err);
        }
    }
    *full = has;
    return rc;
}

static enum errc read_piece(struct request *request, struct tx *tx, const struct listing_query *query,
                            listing_render *render, const struct export_column *columns, struct err *err)
{
    struct export_state *export = request->export;
    struct listing_scan scan;
    listing_scan_begin(&scan, query, LISTING_FIRST_WINDOW, LISTING_PASSED_MAX);
    bool has = true;
    bool full = false;
    enum errc rc = OK;
    while (rc == OK && has && !full) {
        rc = listing_scan_next(&scan, tx->db, export->rows, PIECE_ROWS_MAX + 1, &has, err);
        if (rc == OK && has) {
            DB_ROWS(rows);
            rc = listing_rows(tx->db, &scan.window, PIECE_ROWS_MAX + 1 - export->rows, &rows, err);
            if (rc == OK) {
                rc = add_rows(request, &rows, render, columns, &full, err);
            }
        }
    }
    if (rc == OK && !full && scan.more) {
        export->last = scan.end;
    }
    export->over = !full && !scan.more;
    return rc;
}

enum errc export_answer(struct request *request, struct tx *tx, const struct uuid *owner,
                        listing_render *render, const struct export_column *columns, struct err *err)
{
    struct export_state *export = request->export;
    struct listing_query query;
    buf_release(&export->piece);
    export->rows = 0;
    export->over = true;
    enum errc rc = OK;
    if (!export->begun) {
        buf_add_str(&export->piece, BYTE_ORDER_MARK);
        add_titles(&export->piece, columns);
    }
    if (listing_query_of(request, owner, &query)) {
        if (export->begun) {
            listing_below(&query, &export->after);
        }
        rc = read_piece(request, tx, &query, render, columns, err);
    }
    if (rc == OK) {
        REQUIRE(!export->piece.overflow); // a row is far smaller than the rest of the buffer
        request->status = 200;
        request->content_type = "text/csv; charset=utf-8; header=present";
        request->csv_name = query.listing->name;
        request->reply = buf_str(&export->piece);
    }
    return rc;
}

// The piece is sent: the next one begins after its last row.
static void advance(struct export_state *export)
{
    export->begun = true;
    export->after = export->last;
}

bool export_begin(struct request *request)
{
    struct export_state *export = request->export;
    if (export == NULL) {
        return true;
    }
    advance(export);
    return slot_reserve(request->api->exports, request->principal.own_merchant_id.bytes, &export->slot);
}

bool export_has_more(const struct request *request)
{
    return request->export != NULL && !request->export->over;
}

bool export_send_piece(struct request *request)
{
    struct export_state *export = request->export;
    advance(export);
    if (export->piece.len == 0 && !export->over) {
        return false;
    }
    http_exchange_more(request->exchange, export->piece.data, export->piece.len, export->over);
    return true;
}

void export_end(struct request *request)
{
    if (request->export != NULL) {
        buf_release(&request->export->piece);
        slot_release(&request->export->slot);
    }
}
