// Sets up each kind of operation with the rows that it needs: prepared as a request prepares it, or scheduled
// as work that is due.
#pragma once

#include "prepared_fixture.h"
#include "samples.h"

#include "op/kinds/authenticate.h"
#include "op/kinds/cancel.h"
#include "op/kinds/capture.h"
#include "op/kinds/charge_customer.h"
#include "op/kinds/kinds.h"
#include "op/kinds/refund.h"
#include "op/state/card_change.h"
#include "store/cards.h"
#include "store/customers.h"
#include "store/refunds.h"

#define PAYMENT_ID ((struct uuid){.bytes = {0x07, [15] = 1}})
#define REFUND_ID ((struct uuid){.bytes = {0x08, [15] = 1}})
#define CUSTOMER_ID ((struct uuid){.bytes = {0x09, [15] = 1}})

// --- the rows that must exist first

static inline struct payment payment_of(struct fixture *f, enum payment_status status)
{
    struct payment payment = sample_payment(&f->merchant_id, &f->version_id, START_US);
    payment.id = PAYMENT_ID;
    payment.status = status;
    payment.provider_ref = "pi_1";
    payment.payment_method = "pm_card_visa";
    payment.captured_minor = status == PAYMENT_COMPLETED ? 5000 : 0;
    return payment;
}

static inline struct refund refund_of(struct fixture *f)
{
    return (struct refund){
        .id = REFUND_ID,
        .payment_id = PAYMENT_ID,
        .merchant_id = f->merchant_id,
        .amount_minor = 5000,
        .currency = currency_find("USD"),
        .credential_version_id = f->version_id,
        .created_us = START_US,
        .updated_us = START_US,
    };
}

static inline enum errc insert_customer(struct fixture *f, struct db *db, struct err *err)
{
    const struct customer customer = {
        .id = CUSTOMER_ID,
        .merchant_id = f->merchant_id,
        .email = "buyer@shop.example",
        .body = "email=buyer%40shop.example",
        .provider_ref = "cus_1",
        .credential_version_id = f->version_id,
        .created_us = START_US,
    };
    return customer_insert(db, &customer, err);
}

// One that is saved with that customer.
static inline struct card saved_card(const struct fixture *f)
{
    return (struct card){
        .id = CARD_ID,
        .merchant_id = f->merchant_id,
        .customer_id = CUSTOMER_ID,
        .status = CARD_ACTIVE,
        .provider = "stripe",
        .method_sent = "pm_card_visa",
        .provider_ref = "pm_1",
        .credential_version_id = f->version_id,
        .created_us = START_US,
        .updated_us = START_US,
    };
}

static inline enum errc insert_card(struct fixture *f, struct db *db, struct card *card, struct err *err)
{
    *card = saved_card(f);
    enum errc rc = insert_customer(f, db, err);
    return rc == OK ? card_insert(db, card, err) : rc;
}

// --- each kind of operation

#define PREPARE(name)                                                                                        \
    static inline enum errc name(struct fixture *f, struct tx *tx, struct op **op, struct err *err)

PREPARE(prepare_charge)
{
    struct payment payment = payment_of(f, PAYMENT_PENDING);
    payment.provider_ref = NULL;
    return charge_prepare(f->engine, tx, &payment, NULL, op, err);
}

PREPARE(prepare_saving_charge)
{
    struct payment payment = payment_of(f, PAYMENT_PENDING);
    payment.provider_ref = NULL;
    payment.customer_email = "buyer@shop.example";
    enum errc rc = charge_customer_choose(f->engine, tx, &payment, err);
    return rc == OK ? charge_prepare(f->engine, tx, &payment, NULL, op, err) : rc;
}

PREPARE(prepare_saving_charge_of_known)
{
    enum errc rc = insert_customer(f, tx->db, err);
    return rc == OK ? prepare_saving_charge(f, tx, op, err) : rc;
}

PREPARE(schedule_card_keep)
{
    struct payment payment = payment_of(f, PAYMENT_COMPLETED);
    payment.customer_id = CUSTOMER_ID;
    const struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    (void)op;
    enum errc rc = insert_customer(f, tx->db, err);
    if (rc == OK) {
        rc = payment_insert(tx->db, &payment, err);
    }
    return rc == OK ? card_write_paid(tx, &payment, &reported, err) : rc;
}

PREPARE(prepare_capture)
{
    struct payment payment = payment_of(f, PAYMENT_PENDING);
    payment.capture_manual = true;
    payment.capturable = true;
    enum errc rc = payment_insert(tx->db, &payment, err);
    return rc == OK ? capture_prepare(f->engine, tx, &payment, 3000, op, err) : rc;
}

PREPARE(prepare_cancel)
{
    struct payment payment = payment_of(f, PAYMENT_PENDING);
    enum errc rc = payment_insert(tx->db, &payment, err);
    return rc == OK ? cancel_prepare(f->engine, tx, &payment, op, err) : rc;
}

PREPARE(prepare_cancel_of_authorised)
{
    struct payment payment = payment_of(f, PAYMENT_PENDING);
    payment.capture_manual = true;
    payment.capturable = true;
    enum errc rc = payment_insert(tx->db, &payment, err);
    return rc == OK ? cancel_prepare(f->engine, tx, &payment, op, err) : rc;
}

// The charge of a saved card failed because nobody was there to authenticate.
PREPARE(prepare_authenticate)
{
    struct payment payment = payment_of(f, PAYMENT_FAILED);
    struct card card = {0};
    payment.payment_method = NULL;
    payment.saved_card_id = CARD_ID;
    payment.failure = (struct failure){"authentication_required", "authentication_required", "Authenticate."};
    enum errc rc = insert_card(f, tx->db, &card, err);
    if (rc == OK) {
        rc = payment_insert(tx->db, &payment, err);
    }
    return rc == OK ? authenticate_prepare(f->engine, tx, &payment, card.provider_ref,
                                           "https://shop.example/return", op, err)
                    : rc;
}

PREPARE(prepare_refund)
{
    struct payment payment = payment_of(f, PAYMENT_COMPLETED);
    struct refund refund = refund_of(f);
    enum errc rc = payment_insert(tx->db, &payment, err);
    return rc == OK ? refund_prepare(f->engine, tx, &payment, &refund, op, err) : rc;
}

PREPARE(prepare_attach)
{
    enum errc rc = insert_customer(f, tx->db, err);
    return rc == OK ? prepare_card(f, tx, op, err) : rc;
}

PREPARE(prepare_setup)
{
    enum errc rc = insert_customer(f, tx->db, err);
    return rc == OK ? prepare_setup_card(f, tx, op, err) : rc;
}

static inline enum errc schedule_setup(struct fixture *f, struct tx *tx, enum card_status status,
                                       struct err *err)
{
    struct card card = card_to_save(f, tx);
    enum errc rc = insert_customer(f, tx->db, err);
    card.customer_id = CUSTOMER_ID;
    card.status = status;
    card.setup_ref = "seti_1";
    if (rc == OK) {
        rc = card_insert(tx->db, &card, err);
    }
    return rc == OK ? card_schedule(tx, &card, OPERATION_CARD_SETUP, 0, err) : rc;
}

PREPARE(schedule_setup_sync)
{
    (void)op;
    return schedule_setup(f, tx, CARD_PENDING, err);
}

PREPARE(schedule_setup_cancel)
{
    (void)op;
    return schedule_setup(f, tx, CARD_GONE, err);
}

PREPARE(schedule_detach)
{
    struct card card = {0};
    (void)op;
    enum errc rc = insert_card(f, tx->db, &card, err);
    return rc == OK ? card_delete(tx, &card, 0, err) : rc;
}

PREPARE(schedule_card_sync)
{
    struct card card = {0};
    (void)op;
    enum errc rc = insert_card(f, tx->db, &card, err);
    return rc == OK ? card_schedule(tx, &card, OPERATION_CARD_SYNC, 0, err) : rc;
}

static inline enum errc schedule_of_payment(struct fixture *f, struct tx *tx, enum payment_status status,
                                            const struct op_kind *kind, struct err *err)
{
    struct payment payment = payment_of(f, status);
    enum errc rc = payment_insert(tx->db, &payment, err);
    return rc == OK ? payment_schedule(tx, &payment, kind->name, 0, err) : rc;
}

PREPARE(schedule_cancel)
{
    (void)op;
    return schedule_of_payment(f, tx, PAYMENT_FAILED, &op_cancel, err);
}

PREPARE(schedule_sync)
{
    (void)op;
    return schedule_of_payment(f, tx, PAYMENT_PENDING, &op_sync, err);
}

PREPARE(schedule_refunds)
{
    (void)op;
    return schedule_of_payment(f, tx, PAYMENT_COMPLETED, &op_refund_list, err);
}

// The request was sent; from now on it is only looked up.
static inline enum errc schedule_lookup(struct fixture *f, struct tx *tx, const struct uuid *subject_id,
                                        const struct op_kind *kind, struct err *err)
{
    const struct operation row = {
        .subject_id = *subject_id,
        .kind = kind->name,
        .merchant_id = f->merchant_id,
        .credential_version_id = f->version_id,
        .body = "amount=5000",
        .attempts = 1,
        .unresolved = true,
        .lookup_only = true,
        .next_attempt_us = tx->now_us,
        .created_us = START_US,
    };
    tx->work_due = true;
    return operation_insert(tx->db, &row, err);
}

PREPARE(schedule_charge_list)
{
    struct payment payment = payment_of(f, PAYMENT_PENDING);
    (void)op;
    payment.provider_ref = NULL;
    enum errc rc = payment_insert(tx->db, &payment, err);
    return rc == OK ? schedule_lookup(f, tx, &PAYMENT_ID, &op_charge, err) : rc;
}

PREPARE(schedule_charge_retrieve)
{
    struct payment payment = payment_of(f, PAYMENT_PENDING);
    (void)op;
    enum errc rc = payment_insert(tx->db, &payment, err);
    return rc == OK ? schedule_lookup(f, tx, &PAYMENT_ID, &op_charge, err) : rc;
}

static inline enum errc insert_refund(struct fixture *f, struct db *db, const char *provider_ref,
                                      struct err *err)
{
    struct payment payment = payment_of(f, PAYMENT_COMPLETED);
    struct refund refund = refund_of(f);
    refund.provider_ref = provider_ref;
    enum errc rc = payment_insert(db, &payment, err);
    return rc == OK ? refund_insert(db, &refund, err) : rc;
}

PREPARE(schedule_refund_list)
{
    (void)op;
    enum errc rc = insert_refund(f, tx->db, NULL, err);
    return rc == OK ? schedule_lookup(f, tx, &REFUND_ID, &op_refund, err) : rc;
}

PREPARE(schedule_refund_sync)
{
    (void)op;
    enum errc rc = insert_refund(f, tx->db, "re_1", err);
    return rc == OK ? schedule_lookup(f, tx, &REFUND_ID, &op_refund_sync, err) : rc;
}
