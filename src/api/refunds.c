// GET /v1/refunds/{id}.
#include "store/refunds.h"

#include "api/handlers.h"
#include "op/render.h"

enum errc refund_get_work(struct request *request, struct db *db, struct err *err)
{
    struct uuid id;
    struct refund refund = {0};
    if (!uuid_parse(request->param, &id)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such refund");
    }
    enum errc rc = refund_get(db, &id, &request->principal.merchant_id, request->arena, &refund, err);
    if (rc == ERR_NOT_FOUND || (rc == OK && refund.livemode && !request->principal.livemode)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such refund");
    }
    if (rc == OK) {
        request_answer(request, 200, render_refund(&refund));
    }
    return rc;
}
