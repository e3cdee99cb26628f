// POST and GET /v1/refunds, and GET /v1/refunds/{id}. The body of a POST is read without the database, and
// every bad field is reported. The work is one transaction: the payment, the idempotency key within its mode,
// what is left to refund, then the refund, whose row reserves its amount, and its operation.
#include <string.h>

#include "api/api_private.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/idempotency.h"
#include "api/listing.h"
#include "api/payments.h"
#include "op/kinds/catch_up.h"
#include "op/kinds/kinds.h"
#include "op/kinds/refund.h"
#include "op/state/render.h"
#include "store/refunds.h"

struct refund_input {
    struct uuid payment_id;
    // As text, because the payment's currency decides its decimals. NULL: all that is left.
    const char *amount;
    const char *reason;
};

static void read_amount(struct request *request, struct refund_input *input)
{
    int64_t thousandths = 0;
    struct err err;
    input->amount = field_amount_text(request, request->body, "amount", FIELD_DECIDES);
    if (input->amount == NULL) {
        return;
    }
    if (money_parse_thousandths(input->amount, true, &thousandths, &err) != OK) {
        field_error(request, "amount", err.message);
    } else if (thousandths == 0) {
        field_error(request, "amount", "must be greater than 0");
    }
}

void refund_create_read(struct request *request)
{
    if (fields_refuse_card_data(request)) {
        return;
    }
    struct refund_input *input = ARENA_NEW(request->arena, struct refund_input);
    request->input = input;
    fields_only(request, request->body, "", (const char *const[]){"payment_id", "amount", "reason", NULL});
    const char *payment_id = field_text(request, request->body, "", "payment_id", FIELD_REQUIRED, 64);
    if (payment_id != NULL && !uuid_parse(payment_id, &input->payment_id)) {
        field_error(request, "payment_id", "must be a UUID");
    }
    read_amount(request, input);
    input->reason = field_text(request, request->body, "", "reason", FIELD_OPTIONAL, 64);
    if (input->reason != NULL && !refund_reason_known(input->reason)) {
        field_error(request, "reason", "must be \"duplicate\", \"fraudulent\" or \"requested_by_customer\"");
    }
    query_only(request, (const char *const[]){NULL});
}

static enum errc find_payment(struct request *request, struct tx *tx, struct payment *payment,
                              struct err *err)
{
    const struct refund_input *input = request->input;
    enum errc rc = payment_get(tx->db, &input->payment_id, &request->principal.merchant_id, request->arena,
                               payment, err);
    if (rc != ERR_NOT_FOUND && (rc != OK || !payment->livemode || request->principal.livemode)) {
        return rc;
    }
    rc = catch_up_check(tx, &request->principal.merchant_id, CATCH_UP_EITHER, err);
    return rc == OK ? err_set(err, ERR_NOT_FOUND, "there is no such payment") : rc;
}

static void hash_request(struct request *request, int64_t amount_minor)
{
    const struct refund_input *input = request->input;
    char payment_id[UUID_TEXT_BYTES];
    uuid_format(&input->payment_id, payment_id);
    struct json_writer fields = json_writer(request->arena);
    json_open_object(&fields, NULL);
    idempotency_field(&fields, "payment_id", payment_id);
    if (input->amount != NULL) {
        json_write_i64(&fields, "amount_minor", amount_minor);
    }
    idempotency_field(&fields, "reason", input->reason);
    idempotency_hash(request, &fields);
}

static enum errc render_present(struct request *request, struct tx *tx, const struct uuid *id,
                                struct json_writer *json, struct err *err)
{
    struct refund refund = {0};
    enum errc rc = refund_get(tx->db, id, &request->principal.merchant_id, request->arena, &refund, err);
    if (rc == OK) {
        render_refund(json, &refund);
    }
    return rc;
}

static const struct idempotent_kind refund_kind = {
    .name = "refund", .op_kind = &op_refund, .render = render_present};

// Checks that so much is left to refund. *amount_minor 0 becomes all that is left.
static enum errc check_left(struct tx *tx, const struct payment *payment, int64_t *amount_minor,
                            struct err *err)
{
    int64_t completed_minor = 0;
    int64_t pending_minor = 0;
    enum errc rc = refund_sums(tx->db, &payment->id, &completed_minor, &pending_minor, err);
    if (rc != OK) {
        return rc;
    }
    int64_t left_minor = payment->captured_minor - completed_minor - pending_minor;
    if (left_minor <= 0) {
        return err_set(err, ERR_REFUND_EXCEEDS, "this payment has nothing left to refund");
    }
    if (*amount_minor > left_minor) {
        char left[MONEY_TEXT_BYTES];
        money_format(left_minor, payment->currency, left);
        return err_set(err, ERR_REFUND_EXCEEDS, "only %s %s of this payment is left to refund", left,
                       payment->currency->code);
    }
    *amount_minor = *amount_minor == 0 ? left_minor : *amount_minor;
    return OK;
}

static enum errc prepare(struct request *request, struct tx *tx, const struct payment *payment,
                         int64_t amount_minor, struct err *err)
{
    const struct refund_input *input = request->input;
    struct refund refund = {
        .id = uuid_new(tx->random, tx->now_us),
        .payment_id = payment->id,
        .merchant_id = payment->merchant_id,
        .livemode = payment->livemode,
        .amount_minor = amount_minor,
        .currency = payment->currency,
        .status = REFUND_PENDING,
        .reason = input->reason,
        .credential_version_id = payment->credential_version_id,
        .created_us = tx->now_us,
        .updated_us = tx->now_us,
    };
    struct request_mark mark = {.key = request->idempotency_key};
    memcpy(mark.hash, request->request_hash, sizeof(mark.hash));
    refund.mark = mark.key != NULL ? &mark : NULL;
    enum errc rc = idempotency_begin(request, tx, &refund_kind, refund.livemode, &refund.id, err);
    return rc == OK ? refund_prepare(request->api->engine, tx, payment, &refund, &request->op, err) : rc;
}

enum errc refund_create_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct refund_input *input = request->input;
    struct payment payment = {0};
    int64_t amount_minor = 0;
    bool repeated = false;
    request->reply = NULL;
    enum errc rc = find_payment(request, tx, &payment, err);
    if (rc == OK && input->amount != NULL &&
        money_parse(input->amount, payment.currency, &amount_minor, err) != OK) {
        field_error(request, "amount", err->message); // the payment's currency does not allow it
        return ERR_VALIDATION;
    }
    if (rc == OK) {
        hash_request(request, amount_minor);
        rc = idempotency_answer_repeat(request, tx, &refund_kind, &payment.livemode, &repeated, err);
    }
    if (rc != OK || repeated) {
        return rc;
    }
    rc = catch_up_check(tx, &payment.merchant_id, payment.livemode ? CATCH_UP_LIVE : CATCH_UP_TEST, err);
    if (rc == OK && (payment.status != PAYMENT_COMPLETED || payment.provider_ref == NULL)) {
        return err_set(err, ERR_CONFLICT, "only a completed payment can be refunded; this one is %s",
                       payment_status_name(payment.status));
    }
    if (rc == OK) {
        rc = payment_check_credentials(tx, &payment, err);
    }
    if (rc == OK) {
        rc = check_left(tx, &payment, &amount_minor, err);
    }
    return rc == OK ? prepare(request, tx, &payment, amount_minor, err) : rc;
}

// --- reading refunds

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
        struct json_writer json = render_success(request->arena);
        render_refund(&json, &refund);
        request_answer(request, 200, &json);
    }
    return rc;
}

void refund_list_read(struct request *request)
{
    listing_read(request, &refund_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    (void)request;
    struct refund refund = {0};
    enum errc rc = refund_read(rows, NULL, &refund, err);
    if (rc == OK) {
        render_refund(json, &refund);
    }
    return rc;
}

enum errc refund_list_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, &request->principal.merchant_id, render_row, err);
}
