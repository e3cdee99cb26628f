// For tests of the outbox's queries: merchants, events and the results of their deliveries, in one open
// transaction.
#pragma once

#include "database_fixture.h"
#include "samples.h"

#include "store/outbox.h"

#define NOW INT64_C(1700000000000000)
#define LEASE 45000000

static inline struct uuid id_of(uint8_t number)
{
    return (struct uuid){.bytes = {0x01, [15] = number}};
}

static inline struct uuid add_merchant(struct fixture *f, uint8_t number, bool has_url)
{
    const struct uuid id = id_of(number);
    struct merchant merchant = sample_merchant(&id, NOW);
    merchant.webhook_url = has_url ? "https://shop.example/hooks" : NULL;
    merchant.webhook_secret = (const uint8_t *)"sealed";
    merchant.webhook_secret_bytes = 6;
    assert_int_equal(merchant_insert(f->db, &merchant, &f->err), OK);
    return merchant.id;
}

static inline struct uuid append(struct fixture *f, struct uuid merchant_id, struct uuid transaction_id,
                                 int64_t at_us)
{
    struct outbox_event event = {
        .id = {.bytes = {0x02, [15] = (uint8_t)++f->made}},
        .merchant_id = merchant_id,
        .transaction_id = transaction_id,
        .type = "payment.completed",
        .body = "{}",
        .created_us = at_us,
    };
    struct tx tx = {.db = f->db, .arena = &f->arena, .random = &random_system, .now_us = at_us};
    struct outbox_next next;
    assert_int_equal(outbox_next(&tx, &merchant_id, &transaction_id, &next, &f->err), OK);
    assert_int_equal(outbox_append(&tx, &next, &event, &f->err), OK);
    return event.id;
}

struct row {
    const char *status;
    int64_t attempts;
    int64_t next_attempt_us;
    const char *last_error;
};

static inline struct row row_of(struct fixture *f, struct uuid id)
{
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(
        db_query(f->db, &rows, &f->err,
                 "SELECT status, attempts, next_attempt_us, last_error FROM outbox WHERE id = $1",
                 DB_ID(&id)),
        OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_true(has);
    return (struct row){db_text(&rows, 0, &f->arena), db_i64(&rows, 1), db_i64(&rows, 2),
                        db_text(&rows, 3, &f->arena)};
}

static inline void assert_row(struct fixture *f, struct uuid id, const char *status, int64_t next_attempt_us)
{
    struct row row = row_of(f, id);
    assert_string_equal(row.status, status);
    assert_int_equal(row.next_attempt_us, next_attempt_us);
}

static inline bool claim(struct fixture *f, struct uuid merchant_id, int64_t now_us,
                         struct outbox_event *event)
{
    bool has = false;
    bool damaged = false;
    assert_int_equal(outbox_claim(f->db, &merchant_id, &(struct uuid){0}, now_us, now_us + LEASE, &f->arena,
                                  event, &has, &damaged, &f->err),
                     OK);
    assert_false(damaged);
    return has;
}

static inline struct outbox_event must_claim(struct fixture *f, struct uuid merchant_id, int64_t now_us,
                                             struct uuid expected)
{
    struct outbox_event event;
    assert_true(claim(f, merchant_id, now_us, &event));
    assert_memory_equal(&event.id, &expected, sizeof(expected));
    return event;
}

static inline bool record(struct fixture *f, const struct outbox_event *event, struct outbox_attempt attempt)
{
    struct outbox_recorded recorded = {0};
    assert_int_equal(outbox_record(f->db, event, &attempt, &recorded, &f->err), OK);
    return recorded.done;
}

static inline bool next_queue(struct fixture *f, struct uuid after, struct outbox_queue *queue)
{
    bool has = false;
    assert_int_equal(outbox_next_queue(f->db, &after, queue, &has, &f->err), OK);
    return has;
}
