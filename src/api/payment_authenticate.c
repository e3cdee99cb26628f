// POST /v1/payments/{id}/authenticate: lets the payer authenticate a payment with a saved card that failed
// because authentication was required. A repeat waits for the same operation, or is answered with the payment
// that is pending by then. Reading is pure; the work is one transaction.
#include "api/api_private.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/payments.h"
#include "op/kinds/authenticate.h"
#include "op/kinds/kinds.h"
#include "op/kinds/modification.h"
#include "store/cards.h"

struct authenticate_input {
    const char *return_url;
};

void payment_authenticate_read(struct request *request)
{
    struct authenticate_input *input = ARENA_NEW(request->arena, struct authenticate_input);
    request->input = input;
    if (fields_refuse_card_data(request)) {
        return;
    }
    fields_only(request, request->body, "", (const char *const[]){"return_url", NULL});
    input->return_url = field_return_url(request, request->body, FIELD_REQUIRED);
    query_only(request, (const char *const[]){NULL});
}

static enum errc check_failed(const struct payment *payment, struct err *err)
{
    const struct provider_ops *provider = provider_find(payment->provider);
    if (payment->status != PAYMENT_FAILED) {
        return err_set(err, ERR_CONFLICT, "only a failed payment can be authenticated; this one is %s",
                       payment_status_name(payment->status));
    }
    if (provider->failure_meaning(payment->failure.code) != FAILURE_NEEDS_PAYER &&
        provider->failure_meaning(payment->failure.decline_code) != FAILURE_NEEDS_PAYER) {
        return err_set(err, ERR_CONFLICT,
                       "only a payment that failed with authentication_required can be authenticated; this "
                       "one failed with %s: make a new payment",
                       payment->failure.code);
    }
    if (uuid_is_nil(&payment->saved_card_id) || payment->provider_ref == NULL) {
        return err_set(err, ERR_CONFLICT,
                       "only a payment with a saved card can be authenticated later: make a new payment");
    }
    return payment->action_given ? err_set(err, ERR_CONFLICT,
                                           "the payer was already asked to authenticate and did not, so "
                                           "%s cancels this payment: make a new payment",
                                           provider->display_name)
                                 : OK;
}

// The answer to the original charge may still come, and would fail the payment once more.
static enum errc check_not_being_charged(struct request *request, struct tx *tx,
                                         const struct payment *payment, struct err *err)
{
    struct operation open = {0};
    enum errc rc = operation_get(tx->db, &payment->id, op_charge.name, request->arena, &open, err);
    return rc == OK ? err_set(err, ERR_CONFLICT,
                              "%s has not answered the original charge yet: try again in a moment",
                              provider_find(payment->provider)->display_name)
                    : (rc == ERR_NOT_FOUND ? OK : rc);
}

static enum errc begin(struct request *request, struct tx *tx, const struct payment *payment, struct err *err)
{
    const struct authenticate_input *input = request->input;
    struct card card = {0};
    enum errc rc = check_failed(payment, err);
    if (rc == OK) {
        rc = card_get(tx->db, &payment->saved_card_id, &payment->merchant_id, request->arena, &card, err);
    }
    if (rc == OK && card.status != CARD_ACTIVE) {
        return err_set(err, ERR_CONFLICT,
                       "this payment's saved card is no longer active: make a new payment with another card");
    }
    if (rc == OK) {
        rc = check_not_being_charged(request, tx, payment, err);
    }
    if (rc == OK) {
        rc = payment_check_credentials(tx, payment, err);
    }
    if (rc == OK) {
        rc = request_check_reserved(request, err);
    }
    return rc == OK ? authenticate_prepare(request->api->engine, tx, payment, card.provider_ref,
                                           input->return_url, &request->op, err)
                    : rc;
}

enum errc payment_authenticate_work(struct request *request, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    struct operation open = {0};
    enum errc rc = payment_of_request(request, tx, &payment, err);
    if (rc == OK) {
        rc = payment_check_not_ending(tx, &payment, err);
    }
    if (rc != OK) {
        return rc;
    }
    if (payment.status == PAYMENT_PENDING) {
        struct op_answer answer = {0};
        rc = modification_answer(tx, &payment, 200, &answer, err);
        request->status = answer.status;
        request->reply = answer.body;
        return rc;
    }
    rc = operation_get(tx->db, &payment.id, op_authenticate.name, request->arena, &open, err);
    if (rc == ERR_NOT_FOUND) {
        rc = begin(request, tx, &payment, err);
    }
    request->subject_id = payment.id;
    request->wait_for = &op_authenticate;
    return rc;
}
