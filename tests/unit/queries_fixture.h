// For tests of the queries on payments and operations: as many rows as they need, in one open transaction.
#pragma once

#include "engine_fixture.h"
#include "samples.h"

#define NOW_US (START_US + 3600 * US_PER_S)

static inline struct uuid insert_payment(struct fixture *f, int64_t at_us, bool livemode)
{
    struct payment payment = sample_payment(&f->merchant_id, &f->version_id, at_us);
    payment.livemode = livemode;
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    return payment.id;
}

static inline struct operation operation_of(struct fixture *f, uint8_t number, int64_t next_attempt_us)
{
    return (struct operation){
        .subject_id = {.bytes = {0x05, [15] = number}},
        .kind = "charge",
        .merchant_id = f->merchant_id,
        .credential_version_id = f->version_id,
        .body = "amount=1",
        .next_attempt_us = next_attempt_us,
        .created_us = START_US,
    };
}

static inline void insert_operation(struct fixture *f, uint8_t number, int64_t next_attempt_us)
{
    struct operation operation = operation_of(f, number, next_attempt_us);
    assert_int_equal(operation_insert(f->db, &operation, &f->err), OK);
}
