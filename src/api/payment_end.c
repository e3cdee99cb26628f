// POST /v1/payments/{id}/capture and /v1/payments/{id}/cancel: end an authorised payment. Reading is pure.
// The work is one transaction: it checks the payment's state, marks it as no longer capturable, and opens the
// operation. A second request at the same time finds that, and gets a conflict.
#include "api/api_private.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/payments.h"
#include "op/kinds/cancel.h"
#include "op/kinds/capture.h"
#include "op/kinds/charge.h"
#include "op/kinds/kinds.h"
#include "op/kinds/modification.h"
#include "store/credentials.h"

struct capture_input {
    const char *amount; // as text, because the payment's currency decides its decimals; NULL: all of it
};

void payment_capture_read(struct request *request)
{
    static const struct json_value no_members = {.extent = 1, .kind = JSON_OBJECT};
    struct capture_input *input = ARENA_NEW(request->arena, struct capture_input);
    int64_t thousandths = 0;
    struct err err;
    request->input = input;
    if (request->body == NULL) {
        request->body = &no_members; // no body is an empty one
    }
    if (fields_refuse_card_data(request)) {
        return;
    }
    fields_only(request, request->body, "", (const char *const[]){"amount", NULL});
    input->amount = field_amount_text(request, request->body, "amount", FIELD_DECIDES);
    if (input->amount != NULL && money_parse_thousandths(input->amount, true, &thousandths, &err) != OK) {
        field_error(request, "amount", err.message);
    } else if (input->amount != NULL && thousandths == 0) {
        field_error(request, "amount", "must be greater than 0");
    }
    query_only(request, (const char *const[]){NULL});
}

void payment_cancel_read(struct request *request)
{
    query_only(request, (const char *const[]){NULL});
}

// The amount to capture, in the payment's minor units.
static enum errc parse_amount(struct request *request, const struct payment *payment, int64_t *amount_minor,
                              struct err *err)
{
    const struct capture_input *input = request->input;
    *amount_minor = payment->amount_minor;
    if (input->amount == NULL) {
        return OK;
    }
    enum errc rc = money_parse(input->amount, payment->currency, amount_minor, err);
    if (rc == OK && *amount_minor > payment->amount_minor) {
        char authorised[MONEY_TEXT_BYTES];
        money_format(payment->amount_minor, payment->currency, authorised);
        rc = err_set(err, ERR_VALIDATION, "must be at most %s, the authorised amount", authorised);
    }
    if (rc != OK) {
        field_error(request, "amount", err->message);
    }
    return rc;
}

enum errc payment_capture_work(struct request *request, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    int64_t amount_minor = 0;
    enum errc rc = payment_of_request(request, tx, &payment, err);
    if (rc == OK) {
        rc = payment_check_not_ending(tx, &payment, err);
    }
    if (rc == OK && !payment.capturable) {
        return err_set(err, ERR_CONFLICT, "only an authorised payment can be captured; this one is %s",
                       payment_status_name(payment.status));
    }
    if (rc == OK) {
        rc = parse_amount(request, &payment, &amount_minor, err);
    }
    if (rc == OK) {
        rc = payment_check_credentials(tx, &payment, err);
    }
    if (rc == OK) {
        rc = request_check_reserved(request, err);
    }
    if (rc != OK) {
        return rc;
    }
    request->subject_id = payment.id;
    request->wait_for = &op_capture;
    return capture_prepare(request->api->engine, tx, &payment, amount_minor, &request->op, err);
}

enum errc payment_cancel_work(struct request *request, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_of_request(request, tx, &payment, err);
    if (rc == OK) {
        rc = payment_check_not_ending(tx, &payment, err);
    }
    if (rc == OK && payment.status != PAYMENT_PENDING) {
        return err_set(err, ERR_CONFLICT, "only a pending payment can be canceled; this one is %s",
                       payment_status_name(payment.status));
    }
    if (rc == OK && payment.provider_ref == NULL) {
        struct op_answer answer = {0};
        rc = charge_abandon(tx, &payment, err);
        rc = rc == OK ? modification_answer(tx, &payment, 200, &answer, err) : rc;
        request->status = answer.status;
        request->reply = answer.body;
        return rc;
    }
    if (rc == OK) {
        rc = payment_check_credentials(tx, &payment, err);
    }
    if (rc == OK) {
        rc = request_check_reserved(request, err);
    }
    if (rc != OK) {
        return rc;
    }
    request->subject_id = payment.id;
    request->wait_for = &op_cancel;
    return cancel_prepare(request->api->engine, tx, &payment, &request->op, err);
}
