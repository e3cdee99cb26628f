// For tests of a payment's changes: one open transaction, and a payment in any status.
#pragma once

#include "engine_fixture.h"
#include "samples.h"

#define NOW_US (START_US + 60 * US_PER_S)

static inline struct tx tx_of(struct fixture *f)
{
    struct tx tx = tx_for(f, "event", "evt_1");
    tx.now_us = NOW_US;
    return tx;
}

// A payment as it stands in this status, with its intent "pi_1" known where it must be.
static inline struct payment insert_payment(struct fixture *f, enum payment_status status)
{
    bool paid = status == PAYMENT_COMPLETED || status == PAYMENT_REFUNDED;
    struct payment payment = sample_payment(&f->merchant_id, &f->version_id, START_US);
    payment.status = status;
    payment.provider_ref = "pi_1";
    payment.payment_method = "pm_card_visa";
    payment.captured_minor = paid ? 5000 : 0;
    payment.refunded_minor = status == PAYMENT_REFUNDED ? 5000 : 0;
    payment.failure.code = status == PAYMENT_FAILED ? "card_declined" : NULL;
    run_sql(f, "DELETE FROM payments");
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    return payment;
}
