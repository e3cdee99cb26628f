// GET /v1/refunds and /v1/refunds/{id}.
#include "store/refunds.h"

#include "api/handlers.h"
#include "api/listing.h"
#include "op/state/render.h"

enum errc refund_get_work(struct request *request, struct tx *tx, struct err *err)
{
    struct uuid id;
    struct refund refund = {0};
    if (!uuid_parse(request->param, &id)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such refund");
    }
    enum errc rc = refund_get(tx->db, &id, &request->principal.merchant_id, request->arena, &refund, err);
    if (rc == ERR_NOT_FOUND || (rc == OK && refund.livemode && !request->principal.livemode)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such refund");
    }
    if (rc == OK) {
        request_answer(request, 200, render_refund(&refund));
    }
    return rc;
}

void refund_list_read(struct request *request)
{
    listing_read(request, &refund_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct arena *arena,
                            struct json_object **item, struct err *err)
{
    (void)request;
    struct refund refund = {0};
    enum errc rc = refund_read(rows, arena, &refund, err);
    if (rc == OK) {
        *item = render_refund(&refund);
    }
    return rc;
}

enum errc refund_list_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, &request->principal.merchant_id, render_row, err);
}
