// Queries on refunds.
#include "store/refunds.h"

#include "store/columns.h"

// clang-format off
#define FIXED(FIRST, NEXT)                                         \
    FIRST(id,                    ID,       id)                     \
    NEXT (payment_id,            ID,       payment_id)             \
    NEXT (merchant_id,           ID,       merchant_id)            \
    NEXT (livemode,              BOOL,     livemode)               \
    NEXT (amount_minor,          I64,      amount_minor)           \
    NEXT (currency,              CURRENCY, currency)               \
    NEXT (reason,                TEXT,     reason)                 \
    NEXT (credential_version_id, ID,       credential_version_id)  \
    NEXT (created_us,            I64,      created_us)

// What refund_update writes.
#define CHANGING(FIRST, NEXT)                               \
    FIRST(status,          REFUND_STATUS, status)           \
    NEXT (provider_ref,    TEXT,          provider_ref)     \
    NEXT (failure_code,    TEXT,          failure.code)     \
    NEXT (failure_message, TEXT,          failure.message)  \
    NEXT (updated_us,      I64,           updated_us)
// clang-format on
#define COLUMNS(FIRST, NEXT) FIXED(FIRST, NEXT) CHANGING(NEXT, NEXT)
#define NAMES COLUMN_NAMES(COLUMNS)

#define NO_SUCH_REFUND "no such refund"

enum errc refund_insert(struct db *db, const struct refund *row, struct err *err)
{
    return db_run(db, NULL, err, "INSERT INTO refunds " COLUMN_INSERT(COLUMNS), COLUMN_VALUES(COLUMNS));
}

enum errc refund_update(struct db *db, const struct refund *row, struct err *err)
{
    return db_run_one(db, err, "UPDATE refunds SET " COLUMN_SET(2, CHANGING) " WHERE id = $1",
                      DB_ID(&row->id), COLUMN_VALUES(CHANGING));
}

enum errc refund_read(struct db_rows *rows, struct arena *arena, struct refund *row, struct err *err)
{
    *row = (struct refund){0};
    COLUMN_READ(COLUMNS, rows);
    const bool is_amount = row->amount_minor >= 1 && row->amount_minor <= row->currency->minor_max;
    return is_amount ? OK : db_damaged(rows, "amount_minor", err);
}

enum errc refund_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                     struct arena *arena, struct refund *refund, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_one(db, &rows, NO_SUCH_REFUND, err, "SELECT " NAMES " FROM refunds WHERE id = $1", DB_ID(id));
    if (rc == OK) {
        rc = refund_read(&rows, arena, refund, err);
    }
    if (rc == OK && merchant_id != NULL && !uuid_equal(&refund->merchant_id, merchant_id)) {
        return err_set(err, ERR_NOT_FOUND, NO_SUCH_REFUND);
    }
    return rc;
}

enum errc refund_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                        const char *provider_ref, struct arena *arena, struct refund *refund, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_REFUND, err,
                          "SELECT " NAMES " FROM refunds WHERE provider_ref = $1 AND merchant_id = $2"
                          " AND livemode = $3",
                          DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? refund_read(&rows, arena, refund, err) : rc;
}

enum errc refund_sums(struct db *db, const struct uuid *payment_id, int64_t *completed_minor,
                      int64_t *pending_minor, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(
        db, &rows, "no sums", err,
        "SELECT CAST(coalesce(sum(CASE WHEN status = 'completed' THEN amount_minor END), 0) AS BIGINT),"
        " CAST(coalesce(sum(CASE WHEN status = 'pending' THEN amount_minor END), 0) AS BIGINT)"
        " FROM refunds WHERE payment_id = $1",
        DB_ID(payment_id));
    if (rc == OK) {
        *completed_minor = db_i64(&rows, 0);
        *pending_minor = db_i64(&rows, 1);
    }
    return rc;
}

enum errc refund_is_awaited(struct db *db, const struct uuid *payment_id, int64_t amount_minor, bool *awaited,
                            struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, awaited, err,
                    "SELECT 1 FROM refunds WHERE payment_id = $1 AND amount_minor = $2"
                    " AND status = 'pending' AND provider_ref IS NULL LIMIT 1",
                    DB_ID(payment_id), DB_I64(amount_minor));
}

// --- the list

#define RARE "status <> 'completed'"
static const struct filter_word statuses[] = {{"pending", RARE}, {"completed"}, {"failed", RARE}, {NULL}};

static const struct filter filters[] = {
    // Through ids, so that SQLite searches the payment's refunds and not the merchant's.
    {"payment_id", FILTER_ID, "id IN (SELECT id FROM refunds WHERE payment_id = :value)", NULL, REACH_FEW},
    {"status", FILTER_WORD, "status = :value", statuses, REACH_RANGE},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing refund_listing = {
    .name = "refunds",
    .table = "refunds",
    .columns = NAMES,
    .owner = "merchant_id = :owner",
    .has_modes = true,
    .filters = filters,
};
