// What tests of a payment's changes stand on: one transaction, and a payment in whatever status they need.
#pragma once

#include "engine_fixture.h"

#define NOW_US (START_US + 60 * US_PER_S)

static inline struct tx tx_of(struct fixture *f)
{
    return (struct tx){
        .db = f->db,
        .keyring = &f->keyring,
        .random = &random_system,
        .arena = &f->arena,
        .now_us = NOW_US,
        .cause = "event",
        .cause_ref = "evt_1",
    };
}

// A payment as it stands in this status, with its intent "pi_1" known where it must be.
static inline struct payment insert_payment(struct fixture *f, enum payment_status status)
{
    bool paid = status == PAYMENT_COMPLETED || status == PAYMENT_REFUNDED;
    struct payment payment = {
        .id = uuid_new(&random_system, START_US),
        .merchant_id = f->merchant_id,
        .amount_minor = 5000,
        .currency = currency_find("USD"),
        .status = status,
        .provider = "stripe",
        .provider_ref = "pi_1",
        .idempotency_key = "order-123",
        .payment_method = "pm_card_visa",
        .captured_minor = paid ? 5000 : 0,
        .refunded_minor = status == PAYMENT_REFUNDED ? 5000 : 0,
        .failure = {.code = status == PAYMENT_FAILED ? "card_declined" : NULL},
        .credential_version_id = f->version_id,
        .created_us = START_US,
        .updated_us = START_US,
    };
    run_sql(f, "DELETE FROM payments");
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    return payment;
}

static inline int setup(void **state)
{
    int rc = engine_fixture_setup(state);
    transaction_begin(*state);
    return rc;
}

static inline int teardown(void **state)
{
    transaction_end(*state);
    return engine_fixture_teardown(state);
}

#define IN_TRANSACTION(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
