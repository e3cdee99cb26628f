// GET /v1/disputes and GET /v1/disputes/{id}. Disputes come from the provider alone, so they are only read.
#include "store/disputes.h"
#include "api/api_private.h"
#include "api/handlers.h"
#include "api/listing.h"
#include "op/state/render.h"

enum errc dispute_get_work(struct request *request, struct tx *tx, struct err *err)
{
    struct uuid id;
    struct dispute dispute = {0};
    enum errc rc = uuid_parse(request->param, &id) ? dispute_get(tx->db, &id, &request->principal.merchant_id,
                                                                 request->arena, &dispute, err)
                                                   : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND || (rc == OK && dispute.livemode && !request->principal.livemode)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such dispute");
    }
    if (rc == OK) {
        struct json_writer json = render_success(request->arena);
        render_dispute(&json, &dispute, RENDER_ANSWER);
        request_answer(request, 200, &json);
    }
    return rc;
}

void dispute_list_read(struct request *request)
{
    listing_read(request, &dispute_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    (void)request;
    struct dispute dispute = {0};
    enum errc rc = dispute_read(rows, NULL, &dispute, err);
    if (rc == OK) {
        render_dispute(json, &dispute, RENDER_LIST);
    }
    return rc;
}

enum errc dispute_list_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, &request->principal.merchant_id, render_row, err);
}
