// Queries on refunds.
#include "store/refunds.h"

#include "base/require.h"

#define COLUMNS                                                                                              \
    "id, payment_id, merchant_id, livemode, amount_minor, currency, status, provider_ref, reason, "          \
    "failure_code, failure_message, credential_version_id, created_us, updated_us"

enum errc refund_insert(struct db *db, const struct refund *r, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO refunds (" COLUMNS
                  ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                  DB_ID(&r->id), DB_ID(&r->payment_id), DB_ID(&r->merchant_id), DB_I64(r->livemode),
                  DB_I64(r->amount_minor), DB_STR(r->currency->code), DB_STR(refund_status_name(r->status)),
                  DB_STR(r->provider_ref), DB_STR(r->reason), DB_STR(r->failure.code),
                  DB_STR(r->failure.message), DB_ID(&r->credential_version_id), DB_I64(r->created_us),
                  DB_I64(r->updated_us));
}

enum errc refund_update(struct db *db, const struct refund *r, struct err *err)
{
    int64_t changed = 0;
    enum errc rc =
        db_run(db, &changed, err,
               "UPDATE refunds SET status = $2, provider_ref = $3, failure_code = $4, failure_message = $5,"
               " updated_us = $6 WHERE id = $1",
               DB_ID(&r->id), DB_STR(refund_status_name(r->status)), DB_STR(r->provider_ref),
               DB_STR(r->failure.code), DB_STR(r->failure.message), DB_I64(r->updated_us));
    REQUIRE(rc != OK || changed == 1);
    return rc;
}

enum errc refund_read(struct db_rows *rows, struct arena *arena, struct refund *r, struct err *err)
{
    *r = (struct refund){
        .id = db_uuid(rows, 0),
        .payment_id = db_uuid(rows, 1),
        .merchant_id = db_uuid(rows, 2),
        .livemode = db_bool(rows, 3),
        .amount_minor = db_i64(rows, 4),
        .currency = currency_find(db_text(rows, 5, arena)),
        .provider_ref = db_text(rows, 7, arena),
        .reason = db_text(rows, 8, arena),
        .failure = {.code = db_text(rows, 9, arena), .message = db_text(rows, 10, arena)},
        .credential_version_id = db_uuid(rows, 11),
        .created_us = db_i64(rows, 12),
        .updated_us = db_i64(rows, 13),
    };
    if (r->currency == NULL) {
        return db_damaged(rows, 5, err);
    }
    if (r->amount_minor < 1 || r->amount_minor > money_minor_max(r->currency)) {
        return db_damaged(rows, 4, err);
    }
    return refund_status_parse(db_text(rows, 6, arena), &r->status) ? OK : db_damaged(rows, 6, err);
}

static enum errc read_one(struct db_rows *rows, struct arena *arena, struct refund *refund, struct err *err)
{
    bool has = false;
    enum errc rc = db_next(rows, &has, err);
    if (rc != OK) {
        return rc;
    }
    return has ? refund_read(rows, arena, refund, err) : err_set(err, ERR_NOT_FOUND, "no such refund");
}

enum errc refund_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                     struct arena *arena, struct refund *refund, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err, "SELECT " COLUMNS " FROM refunds WHERE id = $1", DB_ID(id));
    if (rc == OK) {
        rc = read_one(&rows, arena, refund, err);
    }
    if (rc == OK && merchant_id != NULL && !uuid_equal(&refund->merchant_id, merchant_id)) {
        return err_set(err, ERR_NOT_FOUND, "no such refund");
    }
    return rc;
}

enum errc refund_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                        const char *provider_ref, struct arena *arena, struct refund *refund, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " COLUMNS " FROM refunds WHERE provider_ref = $1 AND merchant_id = $2"
                            " AND livemode = $3",
                            DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? read_one(&rows, arena, refund, err) : rc;
}

enum errc refund_sums(struct db *db, const struct uuid *payment_id, int64_t *completed_minor,
                      int64_t *pending_minor, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT coalesce(sum(CASE WHEN status = 'completed' THEN amount_minor END), 0),"
                            " coalesce(sum(CASE WHEN status = 'pending' THEN amount_minor END), 0)"
                            " FROM refunds WHERE payment_id = $1",
                            DB_ID(payment_id));
    bool has = false;
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK) {
        REQUIRE(has);
        *completed_minor = db_i64(&rows, 0);
        *pending_minor = db_i64(&rows, 1);
    }
    return rc;
}

enum errc refund_is_awaited(struct db *db, const struct uuid *payment_id, int64_t amount_minor, bool *awaited,
                            struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT 1 FROM refunds WHERE payment_id = $1 AND amount_minor = $2"
                            " AND status = 'pending' AND provider_ref IS NULL LIMIT 1",
                            DB_ID(payment_id), DB_I64(amount_minor));
    return rc == OK ? db_next(&rows, awaited, err) : rc;
}

// --- the list

#define RARE "status <> 'completed'"
static const struct filter_word statuses[] = {{"pending", RARE}, {"completed"}, {"failed", RARE}, {NULL}};

static const struct filter filters[] = {
    // By way of ids, so that they are looked for among the payment's refunds and not among the merchant's.
    {"payment_id", FILTER_ID, "id IN (SELECT id FROM refunds WHERE payment_id = :value)"},
    {"status", FILTER_WORD, "status = :value", statuses},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing refund_listing = {
    .name = "refunds",
    .table = "refunds",
    .columns = COLUMNS,
    .owner = "merchant_id = :owner",
    .has_modes = true,
    .filters = filters,
};
