// Queries on payments and their history.
#include "store/payments.h"

#include "base/require.h"
#include "base/text.h"
#include "store/columns.h"

// clang-format off
#define FIXED_LISTED(FIRST, NEXT)                                    \
    FIRST(id,                    ID,         id)                     \
    NEXT (merchant_id,           ID,         merchant_id)            \
    NEXT (livemode,              BOOL,       livemode)               \
    NEXT (amount_minor,          I64,        amount_minor)           \
    NEXT (currency,              CURRENCY,   currency)               \
    NEXT (provider,              TEXT,       provider)               \
    NEXT (idempotency_key,       TEXT,       idempotency_key)        \
    NEXT (payment_method,        TEXT,       payment_method)         \
    NEXT (return_url,            TEXT,       return_url)             \
    NEXT (description,           TEXT,       description)            \
    NEXT (metadata,              TEXT,       metadata_json)          \
    NEXT (capture_manual,        BOOL,       capture_manual)         \
    NEXT (customer_email,        TEXT,       customer_email)         \
    NEXT (created_us,            I64,        created_us)             \
    NEXT (saved_card_id,         ID_OR_NULL, saved_card_id)

#define CHANGING_LISTED(FIRST, NEXT)                                   \
    FIRST(status,               PAYMENT_STATUS, status)                \
    NEXT (provider_ref,         TEXT,           provider_ref)          \
    NEXT (captured_minor,       I64,            captured_minor)        \
    NEXT (refunded_minor,       I64,            refunded_minor)        \
    NEXT (capturable,           BOOL,           capturable)            \
    NEXT (next_action,          NEXT_ACTION,    next_action)           \
    NEXT (failure_code,         TEXT,           failure.code)          \
    NEXT (failure_decline_code, TEXT,           failure.decline_code)  \
    NEXT (failure_message,      TEXT,           failure.message)       \
    NEXT (updated_us,           I64,            updated_us)            \
    NEXT (customer_id,          ID_OR_NULL,     customer_id)

#define FIXED(FIRST, NEXT)                                           \
    FIXED_LISTED(FIRST, NEXT)                                        \
    NEXT (credential_version_id, ID,         credential_version_id)

// What payment_update writes.
#define CHANGING(FIRST, NEXT)                                          \
    CHANGING_LISTED(FIRST, NEXT)                                       \
    NEXT (action_given,         BOOL,           action_given)          \
    NEXT (action_secret,        BLOB,           action_secret_sealed)
// clang-format on
#define COLUMNS(FIRST, NEXT) FIXED(FIRST, NEXT) CHANGING(NEXT, NEXT)
#define LISTED(FIRST, NEXT) FIXED_LISTED(FIRST, NEXT) CHANGING_LISTED(NEXT, NEXT)
#define NAMES COLUMN_NAMES(COLUMNS)
// Lists filter by the amount in thousandths, and nothing reads it.
#define WRITTEN(FIRST, NEXT) COLUMNS(FIRST, NEXT) NEXT(amount_thousandths, THOUSANDTHS, amount_minor)
#define COLUMN_VALUE_THOUSANDTHS(field) DB_I64(money_thousandths(row->field, row->currency))

#define NO_SUCH_PAYMENT "no such payment"

enum errc payment_insert(struct db *db, const struct payment *row, struct err *err)
{
    return db_run(db, NULL, err, "INSERT INTO payments " COLUMN_INSERT(WRITTEN), COLUMN_VALUES(WRITTEN));
}

enum errc payment_update(struct db *db, const struct payment *row, struct err *err)
{
    return db_run_one(db, err, "UPDATE payments SET " COLUMN_SET(2, CHANGING) " WHERE id = $1",
                      DB_ID(&row->id), COLUMN_VALUES(CHANGING));
}

static const struct filter_word providers[] = {{"stripe"}, {NULL}};
_Static_assert(COUNT_OF(providers) == 2, "with several, payment_filters needs a condition");

static bool is_provider(const char *name)
{
    size_t i = 0;
    while (providers[i].word != NULL && !text_equal(providers[i].word, name)) {
        i++;
    }
    return providers[i].word != NULL;
}

static enum errc check(struct db_rows *rows, const struct payment *row, struct err *err)
{
    if (!is_provider(row->provider)) {
        return db_damaged(rows, "provider", err);
    }
    const bool is_amount = row->amount_minor >= 1 && row->amount_minor <= row->currency->minor_max &&
                           row->refunded_minor >= 0 && row->captured_minor >= row->refunded_minor &&
                           row->amount_minor >= row->captured_minor;
    return is_amount ? OK : db_damaged(rows, "amount_minor", err);
}

static enum errc read_whole(struct db_rows *rows, struct arena *arena, struct payment *row, struct err *err)
{
    *row = (struct payment){0};
    COLUMN_READ(COLUMNS, rows);
    return check(rows, row, err);
}

enum errc payment_read_listed(struct db_rows *rows, struct arena *arena, struct payment *row, struct err *err)
{
    *row = (struct payment){0};
    COLUMN_READ(LISTED, rows);
    return check(rows, row, err);
}

// One text: what locks the row ahead reads it, too.
static const char get_sql[] = "SELECT " NAMES " FROM payments WHERE id = $1" LOCKED;

enum errc payment_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                      struct arena *arena, struct payment *payment, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_PAYMENT, err, get_sql, DB_ID(id));
    if (rc == OK) {
        rc = read_whole(&rows, arena, payment, err);
    }
    if (rc == OK && merchant_id != NULL && !uuid_equal(&payment->merchant_id, merchant_id)) {
        return err_set(err, ERR_NOT_FOUND, NO_SUCH_PAYMENT);
    }
    return rc;
}

enum errc payment_plan_get(struct db *db, const struct uuid *id, struct arena *arena, struct payment *payment,
                           struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_one(db, &rows, NO_SUCH_PAYMENT, err, "SELECT " NAMES " FROM payments WHERE id = $1", DB_ID(id));
    return rc == OK ? read_whole(&rows, arena, payment, err) : rc;
}

enum errc payment_lock(struct db *db, const struct uuid *id, struct err *err)
{
    return db_lock(db, err, get_sql, DB_ID(id));
}

enum errc payment_lock_refunded(struct db *db, const struct uuid *refund_id, struct err *err)
{
    return db_lock(db, err,
                   "SELECT 1 FROM payments WHERE id = (SELECT payment_id FROM refunds WHERE id = $1)" LOCKED,
                   DB_ID(refund_id));
}

enum errc payment_lock_saving(struct db *db, const struct uuid *card_id, struct err *err)
{
    return db_lock(db, err,
                   "SELECT 1 FROM payments WHERE (provider_ref, merchant_id, livemode) ="
                   " (SELECT setup_ref, merchant_id, livemode FROM cards WHERE id = $1)" LOCKED,
                   DB_ID(card_id));
}

enum errc payment_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                         const char *provider_ref, struct arena *arena, struct payment *payment,
                         struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_PAYMENT, err,
                          "SELECT " NAMES " FROM payments WHERE provider_ref = $1 AND merchant_id = $2"
                          " AND livemode = $3" LOCKED,
                          DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? read_whole(&rows, arena, payment, err) : rc;
}

#define NEAR "1000" // rows looked at on either side

enum errc payment_ref_of_version(struct db *db, const struct payment *payment, struct arena *arena,
                                 const char **provider_ref, struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(
        db, &rows, &has, err,
        "SELECT provider_ref FROM (SELECT provider_ref, credential_version_id FROM payments"
        " WHERE merchant_id = $1 AND livemode = $2 AND id < $3" NEWEST_FIRST " LIMIT " NEAR ") older"
        " WHERE credential_version_id = $4 AND provider_ref IS NOT NULL"
        " UNION ALL SELECT provider_ref FROM (SELECT provider_ref, credential_version_id FROM payments"
        " WHERE merchant_id = $1 AND livemode = $2 AND id > $3" OLDEST_FIRST " LIMIT " NEAR ") newer"
        " WHERE credential_version_id = $4 AND provider_ref IS NOT NULL LIMIT 1",
        DB_ID(&payment->merchant_id), DB_I64(payment->livemode), DB_ID(&payment->id),
        DB_ID(&payment->credential_version_id));
    *provider_ref = has ? db_text(&rows, 0, arena) : NULL;
    return rc;
}

// clang-format off
#define HISTORY_COLUMNS(FIRST, NEXT)             \
    FIRST(id,        ID,             id)         \
    NEXT (at_us,     I64,            at_us)      \
    NEXT (what,      TEXT,           what)       \
    NEXT (status,    PAYMENT_STATUS, status)     \
    NEXT (cause,     TEXT,           cause)      \
    NEXT (cause_ref, TEXT,           cause_ref)
// clang-format on
#define HISTORY_WRITTEN(FIRST, NEXT) FIRST(payment_id, ID, payment_id) HISTORY_COLUMNS(NEXT, NEXT)

enum errc payment_history_begin(struct db *db, const struct payment_history_entry *row, struct err *err)
{
    return db_run(db, NULL, err, "INSERT INTO payment_history " COLUMN_INSERT(HISTORY_WRITTEN),
                  COLUMN_VALUES(HISTORY_WRITTEN));
}

enum errc payment_history_append(struct db *db, const struct payment_history_entry *row, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO payment_history (" COLUMN_NAMES(
                      HISTORY_WRITTEN) ") VALUES ($1,"
                                       " id_after($2, (SELECT id FROM payment_history WHERE payment_id = $1"
                                       " AND id >= $2 ORDER BY id DESC LIMIT 1)),"
                                       " $3, $4, $5, $6, $7)",
                  COLUMN_VALUES(HISTORY_WRITTEN));
}

enum errc payment_was_reopened(struct db *db, const struct uuid *payment_id, bool *reopened, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, reopened, err,
                    "SELECT 1 FROM payment_history WHERE payment_id = $1 AND what = $2 LIMIT 1",
                    DB_ID(payment_id), DB_STR(PAYMENT_REOPENED));
}

enum errc payment_history_read(struct db_rows *rows, struct arena *arena, struct payment_history_entry *row,
                               struct err *err)
{
    COLUMN_READ(HISTORY_COLUMNS, rows);
    return OK;
}

enum errc payment_count(struct db *db, int64_t most, int64_t *count, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "no count", err,
                          "SELECT count(*) FROM (SELECT 1 FROM payments LIMIT $1) counted", DB_I64(most));
    if (rc == OK) {
        *count = db_i64(&rows, 0);
    }
    return rc;
}

// --- lists

#define RARE "status <> 'completed'"
static const struct filter_word statuses[] = {
    {"pending", RARE}, {"completed"}, {"failed", RARE}, {"refunded", RARE}, {NULL}};

static const struct filter payment_filters[] = {
    // check refuses rows of any other provider, so with one the filter leaves no payment out.
    {"provider", FILTER_WORD, NULL, providers},
    {"status", FILTER_WORD, "status = :value", statuses, REACH_RANGE},
    {"currency", FILTER_CURRENCY, "currency = :value"},
    {"min_amount", FILTER_AMOUNT_MIN, "amount_thousandths >= :value"},
    {"max_amount", FILTER_AMOUNT_MAX, "amount_thousandths <= :value"},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"provider_ref", FILTER_TEXT, "provider_ref = :value", NULL, REACH_FEW},
    {"idempotency_key", FILTER_TEXT,
     "id = (SELECT subject_id FROM idempotency_keys WHERE merchant_id = :owner AND livemode = :mode"
     " AND kind = 'payment' AND key = :value)",
     NULL, REACH_FEW},
    {"saved_card_id", FILTER_ID, "saved_card_id = :value", NULL, REACH_RANGE},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing payment_listing = {
    .name = "payments",
    .table = "payments",
    .columns = COLUMN_NAMES(LISTED),
    .owner = "merchant_id = :owner",
    .has_modes = true,
    .filters = payment_filters,
};

static const struct filter no_filters[] = {{NULL}};

const struct listing payment_history_listing = {
    .name = "history",
    .table = "payment_history",
    .columns = COLUMN_NAMES(HISTORY_COLUMNS),
    .owner = "payment_id = :owner",
    .filters = no_filters,
};
