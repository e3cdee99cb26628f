// GET /v1/payments and /v1/payments/{id}.
#include "api/payments.h"

#include "api/api.h"
#include "api/export.h"
#include "api/handlers.h"
#include "api/listing.h"
#include "op/state/render.h"

enum errc payment_of_request(struct request *request, struct tx *tx, struct payment *payment, struct err *err)
{
    struct uuid id;
    enum errc rc = uuid_parse(request->param, &id) ? payment_get(tx->db, &id, &request->principal.merchant_id,
                                                                 request->arena, payment, err)
                                                   : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND || (rc == OK && payment->livemode && !request->principal.livemode)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such payment");
    }
    return rc;
}

enum errc payment_get_work(struct request *request, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    struct json_object *data = NULL;
    enum errc rc = payment_of_request(request, tx, &payment, err);
    if (rc == OK) {
        rc = render_payment(&payment, &api_options(request->api)->keyring->master, RENDER_ANSWER,
                            request->arena, &data, err);
    }
    if (rc == OK) {
        request_answer(request, 200, data);
    }
    return rc;
}

void payment_list_read(struct request *request)
{
    listing_read(request, &payment_listing);
    export_read(request);
}

static enum errc render_one(struct request *request, struct db_rows *rows, struct arena *arena,
                            struct json_object **item, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_read(rows, arena, &payment, err);
    if (rc == OK) {
        rc = render_payment(&payment, &api_options(request->api)->keyring->master, RENDER_LIST, arena, item,
                            err);
    }
    return rc;
}

static const struct export_column columns[] = {
    {"id", "id"},
    {"created_at", "created_at"},
    {"updated_at", "updated_at"},
    {"status", "status"},
    {"amount", "amount"},
    {"currency", "currency"},
    {"amount_captured", "amount_captured"},
    {"amount_refunded", "amount_refunded"},
    {"livemode", "livemode"},
    {"provider", "provider"},
    {"provider_ref", "provider_ref"},
    {"idempotency_key", "idempotency_key"},
    {"payment_method", "payment_method"},
    {"saved_card_id", "saved_card_id"},
    {"capture_method", "capture_method"},
    {"capturable", "capturable"},
    {"customer_email", "customer_email"},
    {"description", "description"},
    {"failure_code", "failure", "code"},
    {"failure_decline_code", "failure", "decline_code"},
    {"failure_message", "failure", "message"},
    {"return_url", "return_url"},
    {"metadata", "metadata"},
    {"merchant_id", "merchant_id"},
    {NULL},
};

enum errc payment_list_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct uuid *owner = &request->principal.merchant_id;
    return request->export != NULL ? export_answer(request, tx, owner, render_one, columns, err)
                                   : listing_answer(request, tx, owner, render_one, err);
}
