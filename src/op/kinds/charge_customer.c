// See charge_customer.h. The transaction that plans the first attempt writes the charge's body. An operation
// without a body has charged nothing.
#include "op/kinds/charge_customer.h"

#include "base/text.h"
#include "op/kinds/customer.h"
#include "store/cards.h"
#include "store/customers.h"
#include "store/idempotency.h"
#include "store/payments.h"

static enum errc find(struct engine *engine, struct tx *tx, const struct payment *payment,
                      const struct uuid *credential_version_id, struct customer *customer, struct err *err)
{
    const struct customer_owner owner = {
        .merchant_id = payment->merchant_id,
        .livemode = payment->livemode,
        .email = payment->customer_email,
        .credential_version_id = *credential_version_id,
    };
    return customer_find(engine, tx, &owner, customer, err);
}

enum errc charge_customer_choose(struct engine *engine, struct tx *tx, struct payment *payment,
                                 struct err *err)
{
    struct customer customer = {0};
    enum errc rc = find(engine, tx, payment, &payment->credential_version_id, &customer, err);
    payment->customer_id = customer.id;
    return rc;
}

// The hash of the payment's request, which is not in its row, for the body.
static enum errc find_hash(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    struct idempotency_key *key = arena_alloc(&op->arena, sizeof(*key));
    bool found = false;
    enum errc rc = idempotency_find(tx->db, &payment->merchant_id, payment->livemode, "payment",
                                    payment->idempotency_key, key, &found, err);
    payment->request_hash = found ? key->request_hash : NULL;
    return rc;
}

enum errc charge_customer_plan(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    struct customer customer = {0};
    enum errc rc = customer_plan_get(tx->db, &payment->customer_id, &op->arena, &customer, err);
    if (rc == OK && customer.gone_us != 0) { // deleted at the provider before the charge named it
        rc = payment_get(tx->db, &payment->id, NULL, &op->arena, payment, err);
        rc = rc == OK ? find(op->engine, tx, payment, &op->row.credential_version_id, &customer, err) : rc;
        rc = rc == OK ? payment_set_customer(tx, payment, &customer.id, err) : rc;
    }
    if (rc != OK) {
        return rc;
    }
    if (customer.provider_ref == NULL) {
        customer_plan(op, &customer, payment->customer_email);
        return OK;
    }
    op->row.attempts = 1; // the charge was never sent; only calls about the customer were
    op->row.unresolved = false;
    op->row.resent_us = 0;
    rc = find_hash(op, tx, payment, err);
    return rc == OK ? engine_options(op->engine)
                          ->provider->ops->charge_body(payment, customer.provider_ref, NULL, false,
                                                       &op->arena, &op->row.body, err)
                    : rc;
}

enum errc charge_customer_settle(struct op *op, struct tx *tx, struct payment *payment, struct err *err)
{
    struct customer customer = {0};
    enum customer_step step = CUSTOMER_OPEN;
    enum errc rc = customer_get(tx->db, &payment->customer_id, tx->arena, &customer, err);
    if (rc != OK) {
        return rc;
    }
    if (!text_equal(op->call.idempotency_key, customer_key(&customer, tx->arena))) {
        op_next_step(op, tx); // this answer is about a customer that was replaced meanwhile
        return OK;
    }
    rc = customer_settle(op, tx, &customer, &step, err);
    return rc == OK && step == CUSTOMER_REFUSED ? payment_fail(tx, payment, &op->call.answer->failure, err)
                                                : rc;
}

enum errc charge_customer_missing(const struct op *op, struct tx *tx, const struct payment *payment,
                                  struct err *err)
{
    struct card card = {.customer_id = payment->customer_id};
    struct customer customer = {0};
    bool gone = false;
    enum errc rc = uuid_is_nil(&payment->saved_card_id)
                       ? OK
                       : card_get(tx->db, &payment->saved_card_id, NULL, tx->arena, &card, err);
    if (rc == OK) {
        rc = customer_get(tx->db, &card.customer_id, tx->arena, &customer, err);
    }
    return rc == OK ? customer_missing(tx, &customer, &op->row.credential_version_id, &gone, err) : rc;
}
