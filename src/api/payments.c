// GET /v1/payments, /v1/payments/{id} and /v1/payments/{id}/events; and the checks that the other routes on
// one payment share.
#include "api/payments.h"

#include "api/api_private.h"
#include "api/export.h"
#include "api/handlers.h"
#include "api/listing.h"
#include "base/timefmt.h"
#include "op/state/render.h"
#include "store/credentials.h"

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

enum errc payment_check_not_ending(struct tx *tx, const struct payment *payment, struct err *err)
{
    bool ending = false;
    enum errc rc = payment_is_ending(tx, payment, &ending, err);
    return rc == OK && ending
               ? err_set(err, ERR_CONFLICT, "this payment is already being captured or canceled")
               : rc;
}

enum errc payment_check_credentials(struct tx *tx, const struct payment *payment, struct err *err)
{
    struct credential credential = {0};
    enum errc rc = credential_get(tx->db, &payment->merchant_id, payment->provider, payment->livemode,
                                  tx->arena, &credential, err);
    if (rc == ERR_NOT_FOUND || (rc == OK && !credential.is_active)) {
        return err_set(err, ERR_PROVIDER_NOT_CONFIGURED,
                       "this merchant has no %s credentials for the payment's mode: set them with PUT "
                       "/v1/merchant/providers",
                       provider_find(payment->provider)->display_name);
    }
    return rc;
}

enum errc payment_get_work(struct request *request, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    struct json_writer json = render_success(request->arena);
    enum errc rc = payment_of_request(request, tx, &payment, err);
    if (rc == OK) {
        rc = render_payment(&json, &payment, &tx->keyring->master, RENDER_ANSWER, err);
    }
    if (rc == OK) {
        request_answer(request, 200, &json);
    }
    return rc;
}

void payment_get_ahead(struct request *request, struct tx *tx)
{
    struct payment payment = {0};
    struct err ignored;
    db_asked(payment_of_request(request, tx, &payment, &ignored));
}

void payment_list_read(struct request *request)
{
    listing_read(request, &payment_listing);
    export_read(request);
}

static enum errc render_one(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_read_listed(rows, NULL, &payment, err);
    return rc == OK ? render_payment(json, &payment, &request->api->keyring->master, RENDER_LIST, err) : rc;
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

// --- history, newest first

void payment_events_read(struct request *request)
{
    listing_read(request, &payment_history_listing);
}

static enum errc render_entry(struct request *request, struct db_rows *rows, struct json_writer *json,
                              struct err *err)
{
    (void)request;
    struct payment_history_entry entry = {0};
    enum errc rc = payment_history_read(rows, NULL, &entry, err);
    if (rc != OK) {
        return rc;
    }
    json_write_uuid(json, "id", &entry.id);
    json_write_str(json, "what", entry.what);
    json_write_str(json, "status", payment_status_name(entry.status));
    json_write_str(json, "cause", entry.cause);
    json_write_str(json, "cause_ref", entry.cause_ref);
    json_write_time(json, "created_at", entry.at_us);
    return OK;
}

enum errc payment_events_work(struct request *request, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_of_request(request, tx, &payment, err);
    return rc == OK ? listing_answer(request, tx, &payment.id, render_entry, err) : rc;
}
