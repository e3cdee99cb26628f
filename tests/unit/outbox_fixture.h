// What tests of the outbox's queries stand on: a SQLite file with the schema, one transaction open, and short
// words for merchants, events and what becomes of them.
#pragma once

#include "scratch.h"

#include "store/driver.h"
#include "store/merchants.h"
#include "store/migrate.h"
#include "store/outbox.h"

#define NOW INT64_C(1700000000000000)
#define LEASE 45000000

struct fixture {
    struct scratch scratch;
    struct db *db;
    struct err err;
    struct arena arena;
    uint8_t next_id;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_make(&f->scratch);
    assert_int_equal(sqlite_driver.open(f->scratch.database, true, &f->db, &f->err), OK);
    assert_int_equal(migrate(f->db, &f->err), OK);
    assert_int_equal(f->db->driver->begin(f->db, true, &f->err), OK);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    sqlite_driver.rollback(f->db);
    sqlite_driver.close(f->db);
    arena_release(&f->arena);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static inline struct uuid id_of(uint8_t number)
{
    return (struct uuid){.bytes = {0x01, [15] = number}};
}

static inline struct uuid add_merchant(struct fixture *f, uint8_t number, bool has_url)
{
    struct merchant merchant = {
        .id = id_of(number),
        .name = "shop",
        .is_active = true,
        .webhook_url = has_url ? "https://shop.example/hooks" : NULL,
        .webhook_secret = (const uint8_t *)"sealed",
        .webhook_secret_bytes = 6,
        .created_us = NOW,
        .updated_us = NOW,
    };
    assert_int_equal(merchant_insert(f->db, &merchant, &f->err), OK);
    return merchant.id;
}

static inline struct uuid append(struct fixture *f, struct uuid merchant_id, struct uuid transaction_id,
                                 int64_t at_us)
{
    struct outbox_event event = {
        .id = {.bytes = {0x02, [15] = ++f->next_id}},
        .merchant_id = merchant_id,
        .transaction_id = transaction_id,
        .type = "payment.completed",
        .body = "{}",
        .created_us = at_us,
    };
    assert_int_equal(outbox_append(f->db, &event, &f->err), OK);
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
    assert_int_equal(
        outbox_claim(f->db, &merchant_id, now_us, now_us + LEASE, &f->arena, event, &has, &f->err), OK);
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
    bool recorded = false;
    assert_int_equal(outbox_record(f->db, event, &attempt, &recorded, &f->err), OK);
    return recorded;
}

static inline bool next_lane(struct fixture *f, struct uuid after, struct outbox_lane *queue)
{
    bool has = false;
    assert_int_equal(outbox_next_lane(f->db, &after, queue, &has, &f->err), OK);
    return has;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
