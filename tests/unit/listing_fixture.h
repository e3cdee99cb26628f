// For tests of listings: as many payments as they need, in one open transaction.
#pragma once

#include "database_fixture.h"
#include "samples.h"

#include "base/timefmt.h"

#define NOW_US (INT64_C(1700000000) * US_PER_S)

static inline struct payment payment_of(struct fixture *f, int64_t at_us)
{
    return sample_payment(&f->merchant_id, &(struct uuid){{1}}, at_us);
}

static inline struct uuid insert(struct fixture *f, const struct payment *payment)
{
    assert_int_equal(payment_insert(f->db, payment, &f->err), OK);
    return payment->id;
}

static inline struct uuid insert_at(struct fixture *f, int64_t at_us, bool livemode)
{
    struct payment payment = payment_of(f, at_us);
    payment.livemode = livemode;
    return insert(f, &payment);
}

// As many completed payments more, all of the merchant and of both modes in turn, each newer than the ones
// before.
static inline void insert_many(struct fixture *f, int64_t count)
{
    database_run_values(
        f->db,
        "WITH RECURSIVE n(i) AS (SELECT CAST($3 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $3 + "
        "$2)"
        " INSERT INTO payments (id, merchant_id, livemode, amount_minor, amount_thousandths, currency,"
        " status, provider, idempotency_key, capture_manual, captured_minor, refunded_minor, capturable,"
        " action_given, credential_version_id, created_us, updated_us)"
        " SELECT CAST(printf('%016d', i) AS BLOB), $1, i % 2, 1, 10, 'USD', 'completed', 'stripe', 'k',"
        " 0, 0, 0, 0, 0, $1, 0, 0 FROM n",
        DB_VALUES(DB_ID(&f->merchant_id), DB_I64(count), DB_I64(f->made)));
    f->made += count;
}

static inline struct listing_query query_of(struct fixture *f)
{
    return (struct listing_query){
        .listing = &payment_listing, .owner = &f->merchant_id, .test = true, .live = true};
}

// One that the filter's condition can be compared with.
static inline struct db_value some_value(struct fixture *f, const struct filter *filter)
{
    if (filter->form == FILTER_ID) {
        return DB_ID(&f->merchant_id);
    }
    const bool is_number = filter->form == FILTER_AMOUNT_MIN || filter->form == FILTER_AMOUNT_MAX ||
                           filter->form == FILTER_BY_MONTH;
    return is_number ? DB_I64(1000) : DB_STR("text");
}

struct found {
    struct uuid ids[128];
    size_t count;
};

static inline struct found list(struct fixture *f, const struct listing_query *query, int64_t limit)
{
    struct found found = {0};
    DB_ROWS(rows);
    bool has = false;
    if (listing_rows(f->db, query, limit, &rows, &f->err) != OK) {
        fail_msg("%s", f->err.message);
    }
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    while (has) {
        assert_true(found.count < COUNT_OF(found.ids));
        found.ids[found.count++] = db_uuid(&rows, 0);
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
    }
    return found;
}

static inline int64_t count(struct fixture *f, const struct listing_query *query, int64_t max)
{
    int64_t counted = -1;
    assert_int_equal(listing_count(f->db, query, max, &counted, &f->err), OK);
    return counted;
}
