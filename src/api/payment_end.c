// POST /v1/payments/{id}/capture and /v1/payments/{id}/cancel: a merchant ends what a payer has authorised.
// Reading is pure; the work is one transaction: the payment, whether its state allows it, then the payment as
// no longer capturable and the operation. A second request beside the first finds that, and is a conflict.
#include "api/api.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/payments.h"
#include "op/kinds/charge.h"
#include "op/kinds/end.h"
#include "op/kinds/kinds.h"
#include "store/credentials.h"

struct capture_input {
    const char *amount; // as it was written: the payment's currency says what it means; NULL: all of it
};

static void amount_problem(struct request *request, const char *message)
{
    problem_add(&request->problems, request->arena, ERR_VALIDATION, "amount", "%s", message);
}

void payment_capture_read(struct request *request)
{
    struct capture_input *input = ARENA_NEW(request->arena, struct capture_input);
    int64_t thousandths = 0;
    struct err err;
    request->input = input;
    if (request->body == NULL) {
        request->body = json_new_object(); // no body is an empty one
    }
    if (fields_refuse_card_data(request)) {
        return;
    }
    fields_only(request, request->body, "", (const char *const[]){"amount", NULL});
    input->amount = field_amount_text(request, request->body, "amount", FIELD_DECIDES);
    if (input->amount != NULL && money_parse_thousandths(input->amount, true, &thousandths, &err) != OK) {
        amount_problem(request, err.message);
    } else if (input->amount != NULL && thousandths == 0) {
        amount_problem(request, "must be greater than 0");
    }
    query_only(request, (const char *const[]){NULL});
}

void payment_cancel_read(struct request *request)
{
    query_only(request, (const char *const[]){NULL});
}

enum errc payment_check_not_ending(struct tx *tx, const struct payment *payment, struct err *err)
{
    bool ending = false;
    enum errc rc = payment_is_ending(tx, payment, &ending, err);
    return rc == OK && ending
               ? err_set(err, ERR_CONFLICT, "this payment is already being captured or canceled")
               : rc;
}

enum errc payment_check_means(struct request *request, struct tx *tx, const struct payment *payment,
                              struct err *err)
{
    struct credential credential = {0};
    enum errc rc = credential_get(tx->db, &payment->merchant_id, payment->provider, payment->livemode,
                                  request->arena, &credential, err);
    if (rc == ERR_NOT_FOUND || (rc == OK && !credential.is_active)) {
        return err_set(err, ERR_PROVIDER_NOT_CONFIGURED,
                       "this merchant has no %s credentials for the payment's mode: set them with PUT "
                       "/v1/merchant/providers",
                       provider_find(payment->provider)->display_name);
    }
    if (rc == OK && !request->has_room) {
        return err_set(err, ERR_OVERLOADED,
                       "too many operations are in progress; nothing was recorded, try again");
    }
    return rc;
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
        amount_problem(request, err->message);
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
        rc = payment_check_means(request, tx, &payment, err);
    }
    if (rc != OK) {
        return rc;
    }
    request->subject_id = payment.id;
    request->wait_for = &op_capture;
    return capture_prepare(api_options(request->api)->engine, tx, &payment, amount_minor, &request->op, err);
}

static enum errc abandon(struct request *request, struct tx *tx, struct payment *payment, struct err *err)
{
    struct op_answer answer = {0};
    enum errc rc = charge_abandon(tx, payment, err);
    if (rc == OK) {
        rc = end_answer(tx, payment, 200, &answer, err);
    }
    request->status = answer.status;
    request->reply = answer.body;
    return rc;
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
        return abandon(request, tx, &payment, err);
    }
    if (rc == OK) {
        rc = payment_check_means(request, tx, &payment, err);
    }
    if (rc != OK) {
        return rc;
    }
    request->subject_id = payment.id;
    request->wait_for = &op_cancel;
    return cancel_prepare(api_options(request->api)->engine, tx, &payment, &request->op, err);
}
