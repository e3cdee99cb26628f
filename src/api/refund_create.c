// POST /v1/refunds. Reading is pure and names every bad field; the work is one transaction: the payment, the
// idempotency key within its mode, what is left to refund, then the refund, whose row reserves its amount,
// and its operation.
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/idempotency.h"
#include "op/kinds/catch_up.h"
#include "op/kinds/kinds.h"
#include "op/kinds/refund.h"
#include "op/state/render.h"
#include "store/credentials.h"
#include "store/payments.h"
#include "store/refunds.h"

#define KIND "refund"

struct refund_input {
    struct uuid payment_id;
    const char
        *amount; // as it was written: the payment's currency says what it means; NULL: all that is left
    const char *reason;
};

static void problem(struct request *request, const char *field, const char *message)
{
    problem_add(&request->problems, request->arena, ERR_VALIDATION, field, "%s", message);
}

static void read_amount(struct request *request, struct refund_input *input)
{
    int64_t thousandths = 0;
    struct err err;
    input->amount = field_amount_text(request, request->body, "amount", FIELD_DECIDES);
    if (input->amount == NULL) {
        return;
    }
    if (money_parse_thousandths(input->amount, true, &thousandths, &err) != OK) {
        problem(request, "amount", err.message);
    } else if (thousandths == 0) {
        problem(request, "amount", "must be greater than 0");
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
        problem(request, "payment_id", "must be a UUID");
    }
    read_amount(request, input);
    input->reason = field_text(request, request->body, "", "reason", FIELD_OPTIONAL, 64);
    if (input->reason != NULL && !refund_reason_known(input->reason)) {
        problem(request, "reason", "must be \"duplicate\", \"fraudulent\" or \"requested_by_customer\"");
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

// Where the request says an amount: in the payment's minor units. What its currency does not allow is noted
// as the fields' other problems are.
static enum errc parse_amount(struct request *request, const struct payment *payment, int64_t *amount_minor,
                              struct err *err)
{
    const struct refund_input *input = request->input;
    if (input->amount == NULL || money_parse(input->amount, payment->currency, amount_minor, err) == OK) {
        return OK;
    }
    problem(request, "amount", err->message);
    return ERR_VALIDATION;
}

static void hash_request(struct request *request, int64_t amount_minor, uint8_t hash[32])
{
    const struct refund_input *input = request->input;
    char payment_id[UUID_TEXT_BYTES];
    uuid_format(&input->payment_id, payment_id);
    struct json_object *fields JSON_CLEANUP = json_new_object();
    idempotency_field(fields, "payment_id", payment_id);
    if (input->amount != NULL) {
        json_add_i64(fields, "amount_minor", amount_minor);
    }
    idempotency_field(fields, "reason", input->reason);
    idempotency_hash(request, fields, hash);
}

static enum errc render_present(struct request *request, struct tx *tx, const struct uuid *id,
                                struct json_object **data, struct err *err)
{
    struct refund refund = {0};
    enum errc rc = refund_get(tx->db, id, &request->principal.merchant_id, request->arena, &refund, err);
    if (rc == OK) {
        *data = render_refund(&refund);
    }
    return rc;
}

static enum errc find_repeat(struct request *request, struct tx *tx, bool livemode, const uint8_t hash[32],
                             bool *repeated, struct err *err)
{
    struct idempotency_key key = {0};
    *repeated = false;
    if (request->idempotency_key == NULL) {
        return OK;
    }
    enum errc rc = idempotency_find(tx->db, &request->principal.merchant_id, livemode, KIND,
                                    request->idempotency_key, &key, repeated, err);
    return rc == OK && *repeated
               ? idempotency_answer_repeat(request, tx, &key, hash, &op_refund, render_present, err)
               : rc;
}

// Whether the payment's state, and the merchant's, allow a refund at all.
static enum errc check_state(struct request *request, struct tx *tx, const struct payment *payment,
                             struct err *err)
{
    struct credential credential = {0};
    if (payment->status != PAYMENT_COMPLETED || payment->provider_ref == NULL) {
        return err_set(err, ERR_CONFLICT, "only a completed payment can be refunded; this one is %s",
                       payment_status_name(payment->status));
    }
    enum errc rc = credential_get(tx->db, &payment->merchant_id, payment->provider, payment->livemode,
                                  request->arena, &credential, err);
    if (rc == ERR_NOT_FOUND || (rc == OK && !credential.is_active)) {
        return err_set(err, ERR_PROVIDER_NOT_CONFIGURED,
                       "this merchant has no %s credentials for the payment's mode: set them with PUT "
                       "/v1/merchant/providers",
                       provider_find(payment->provider)->display_name);
    }
    return rc;
}

// *amount_minor 0: all that is left.
static enum errc take_amount(struct tx *tx, const struct payment *payment, int64_t *amount_minor,
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
                         int64_t amount_minor, const uint8_t hash[32], struct err *err)
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
    enum errc rc = OK;
    if (request->idempotency_key != NULL) {
        memcpy(mark.hash, hash, sizeof(mark.hash));
        refund.mark = &mark;
        struct idempotency_key key = {
            .merchant_id = refund.merchant_id,
            .livemode = refund.livemode,
            .kind = KIND,
            .key = request->idempotency_key,
            .subject_id = refund.id,
            .created_us = tx->now_us,
        };
        memcpy(key.request_hash, hash, sizeof(key.request_hash));
        rc = idempotency_insert(tx->db, &key, err);
    }
    request->subject_id = refund.id;
    request->wait_for = &op_refund;
    return rc == OK
               ? refund_prepare(api_options(request->api)->engine, tx, payment, &refund, &request->op, err)
               : rc;
}

enum errc refund_create_work(struct request *request, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    int64_t amount_minor = 0;
    uint8_t hash[32];
    bool repeated = false;
    request->reply = NULL;
    enum errc rc = find_payment(request, tx, &payment, err);
    if (rc == OK) {
        rc = parse_amount(request, &payment, &amount_minor, err);
    }
    if (rc == OK) {
        hash_request(request, amount_minor, hash);
        rc = find_repeat(request, tx, payment.livemode, hash, &repeated, err);
    }
    if (rc != OK || repeated) {
        return rc;
    }
    rc = catch_up_check(tx, &payment.merchant_id, payment.livemode ? CATCH_UP_LIVE : CATCH_UP_TEST, err);
    if (rc == OK) {
        rc = check_state(request, tx, &payment, err);
    }
    if (rc == OK) {
        rc = take_amount(tx, &payment, &amount_minor, err);
    }
    if (rc == OK && !request->has_room) {
        return err_set(err, ERR_OVERLOADED,
                       "too many operations are in progress; nothing was recorded, try again");
    }
    return rc == OK ? prepare(request, tx, &payment, amount_minor, hash, err) : rc;
}
