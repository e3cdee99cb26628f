// Queries on cards.
#include "store/cards.h"

#include "store/columns.h"

// clang-format off
#define CARD_FIXED(FIRST, NEXT)                                \
    FIRST(id,                    ID,   id)                     \
    NEXT (merchant_id,           ID,   merchant_id)            \
    NEXT (livemode,              BOOL, livemode)               \
    NEXT (provider,              TEXT, provider)               \
    NEXT (method_sent,           TEXT, method_sent)            \
    NEXT (customer_email,        TEXT, customer_email)         \
    NEXT (customer_name,         TEXT, customer_name)          \
    NEXT (credential_version_id, ID,   credential_version_id)  \
    NEXT (created_us,            I64,  created_us)             \
    NEXT (return_url,            TEXT, return_url)

// What card_update writes.
#define CARD_CHANGING(FIRST, NEXT)                             \
    FIRST(customer_id,     ID,          customer_id)           \
    NEXT (status,          CARD_STATUS, status)                \
    NEXT (provider_ref,    TEXT,        provider_ref)          \
    NEXT (brand,           TEXT,        brand)                 \
    NEXT (last4,           TEXT,        last4)                 \
    NEXT (exp_month,       COUNT,       exp_month)             \
    NEXT (exp_year,        COUNT,       exp_year)              \
    NEXT (is_default,      BOOL,        is_default)            \
    NEXT (failure_code,    TEXT,        failure.code)          \
    NEXT (failure_message, TEXT,        failure.message)       \
    NEXT (updated_us,      I64,         updated_us)            \
    NEXT (setup_ref,       TEXT,        setup_ref)             \
    NEXT (next_action,     NEXT_ACTION, next_action)           \
    NEXT (action_secret,   BLOB,        action_secret_sealed)  \
    NEXT (fingerprint,     TEXT,        fingerprint)
// clang-format on
#define CARD_COLUMNS(FIRST, NEXT) CARD_FIXED(FIRST, NEXT) CARD_CHANGING(NEXT, NEXT)
#define CARD_NAMES COLUMN_NAMES(CARD_COLUMNS)

#define NO_SUCH_CARD "no such card"

enum errc card_insert(struct db *db, const struct card *row, struct err *err)
{
    return db_run(db, NULL, err, "INSERT INTO cards " COLUMN_INSERT(CARD_COLUMNS),
                  COLUMN_VALUES(CARD_COLUMNS));
}

enum errc card_update(struct db *db, const struct card *row, struct err *err)
{
    return db_run_one(db, err, "UPDATE cards SET " COLUMN_SET(2, CARD_CHANGING) " WHERE id = $1",
                      DB_ID(&row->id), COLUMN_VALUES(CARD_CHANGING));
}

enum errc card_read(struct db_rows *rows, struct arena *arena, struct card *row, struct err *err)
{
    *row = (struct card){0};
    COLUMN_READ(CARD_COLUMNS, rows);
    return OK;
}

// One statement, which locks the customer first because it is named first.
enum errc card_lock(struct db *db, const struct uuid *id, struct err *err)
{
    return db_lock(db, err,
                   "SELECT 1 FROM customers JOIN cards ON cards.customer_id = customers.id"
                   " WHERE cards.id = $1" LOCKED,
                   DB_ID(id));
}

enum errc card_plan_get(struct db *db, const struct uuid *id, struct arena *arena, struct card *card,
                        struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_one(db, &rows, NO_SUCH_CARD, err, "SELECT " CARD_NAMES " FROM cards WHERE id = $1", DB_ID(id));
    return rc == OK ? card_read(&rows, arena, card, err) : rc;
}

enum errc card_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id, struct arena *arena,
                   struct card *card, struct err *err)
{
    enum errc rc = card_lock(db, id, err);
    if (rc == OK) {
        rc = card_plan_get(db, id, arena, card, err);
    }
    if (rc == OK && merchant_id != NULL && !uuid_equal(&card->merchant_id, merchant_id)) {
        return err_set(err, ERR_NOT_FOUND, NO_SUCH_CARD);
    }
    return rc;
}

enum errc card_by_method(struct db *db, const struct uuid *merchant_id, bool livemode, const char *method,
                         const char *email, struct arena *arena, struct card *card, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(
        db, &rows, NO_SUCH_CARD, err,
        "SELECT " CARD_NAMES " FROM cards WHERE merchant_id = $1 AND livemode = $2"
        " AND provider_ref = $3 AND status = 'active'"
        " UNION ALL SELECT " CARD_NAMES " FROM cards WHERE merchant_id = $1 AND livemode = $2"
        " AND method_sent = $3 AND status = 'saving' AND setup_ref IS NULL"
        " AND coalesce(customer_email, '') = coalesce($4, '')"
        " UNION ALL SELECT " CARD_NAMES " FROM cards WHERE merchant_id = $1 AND livemode = $2"
        " AND method_sent = $3 AND status = 'pending' AND coalesce(customer_email, '') = coalesce($4, '')"
        " LIMIT 1",
        DB_ID(merchant_id), DB_I64(livemode), DB_STR(method), DB_STR(email));
    return rc == OK ? card_read(&rows, arena, card, err) : rc;
}

enum errc card_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode, const char *provider_ref,
                      struct arena *arena, struct card *card, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_CARD, err,
                          "SELECT " CARD_NAMES " FROM cards WHERE provider_ref = $1 AND merchant_id = $2"
                          " AND livemode = $3 AND status = 'active'"
                          " UNION ALL SELECT " CARD_NAMES " FROM cards WHERE provider_ref = $1"
                          " AND merchant_id = $2 AND livemode = $3 LIMIT 1",
                          DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? card_read(&rows, arena, card, err) : rc;
}

enum errc card_by_fingerprint(struct db *db, const struct uuid *customer_id, const char *fingerprint,
                              const char *provider_ref, struct arena *arena, struct card *card,
                              struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_CARD, err,
                          "SELECT " CARD_NAMES " FROM cards WHERE customer_id = $1 AND fingerprint = $2"
                          " AND provider_ref = $3 AND status = 'active'"
                          " UNION ALL SELECT " CARD_NAMES " FROM cards WHERE customer_id = $1"
                          " AND fingerprint = $2 AND status = 'active' LIMIT 1",
                          DB_ID(customer_id), DB_STR(fingerprint), DB_STR(provider_ref));
    return rc == OK ? card_read(&rows, arena, card, err) : rc;
}

enum errc card_by_setup(struct db *db, const struct uuid *merchant_id, bool livemode, const char *setup_ref,
                        struct arena *arena, struct card *card, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_CARD, err,
                          "SELECT " CARD_NAMES " FROM cards WHERE setup_ref = $1 AND merchant_id = $2"
                          " AND livemode = $3",
                          DB_STR(setup_ref), DB_ID(merchant_id), DB_I64(livemode));
    return rc == OK ? card_read(&rows, arena, card, err) : rc;
}

enum errc cards_of_customer(struct db *db, const struct uuid *customer_id, int64_t limit,
                            struct db_rows *rows, struct err *err)
{
    return db_query(db, rows, err,
                    "SELECT " CARD_NAMES " FROM cards WHERE customer_id = $1"
                    " AND status IN ('active', 'pending', 'failed') ORDER BY id DESC LIMIT $2",
                    DB_ID(customer_id), DB_I64(limit));
}

enum errc cards_saving_look_up(struct db *db, const struct uuid *merchant_id, bool livemode,
                               const char *method, const char *customer_ref, int64_t *count, struct err *err)
{
    return db_run(db, count, err,
                  "UPDATE operations SET look_up = 1 WHERE kind IN ('card', 'card_keep') AND subject_id IN"
                  " (SELECT id FROM cards WHERE merchant_id = $1 AND livemode = $2 AND method_sent = $3"
                  " AND status = 'saving' UNION ALL SELECT id FROM cards WHERE customer_id IN"
                  " (SELECT id FROM customers WHERE provider_ref = $4 AND merchant_id = $1 AND livemode = $2)"
                  " AND status = 'saving')",
                  DB_ID(merchant_id), DB_I64(livemode), DB_STR(method), DB_STR(customer_ref));
}

enum errc card_is_being_charged(struct db *db, const struct card *card, bool *charged, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, charged, err,
                    "SELECT 1 FROM payments JOIN operations ON operations.subject_id = payments.id"
                    " AND operations.kind IN ('charge', 'authenticate') WHERE payments.merchant_id = $1"
                    " AND payments.livemode = $2 AND payments.saved_card_id = $3 LIMIT 1",
                    DB_ID(&card->merchant_id), DB_I64(card->livemode), DB_ID(&card->id));
}

enum errc card_has_default(struct db *db, const struct uuid *customer_id, bool *has, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, has, err,
                    "SELECT 1 FROM cards WHERE customer_id = $1 AND status = 'active' AND is_default = 1",
                    DB_ID(customer_id));
}

enum errc card_make_default(struct db *db, const struct card *card, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE cards SET is_default = CASE WHEN id = $2 THEN 1 ELSE 0 END, updated_us = $3"
                  " WHERE customer_id = $1 AND (is_default = 1 OR id = $2)",
                  DB_ID(&card->customer_id), DB_ID(&card->id), DB_I64(now_us));
}

enum errc card_make_newest_default(struct db *db, const struct uuid *customer_id, int64_t now_us,
                                   struct err *err)
{
    return db_run(
        db, NULL, err,
        "UPDATE cards SET is_default = 1, updated_us = $2 WHERE id ="
        " (SELECT id FROM cards WHERE customer_id = $1 AND status = 'active' ORDER BY id DESC LIMIT 1)",
        DB_ID(customer_id), DB_I64(now_us));
}

enum errc cards_all_gone(struct db *db, const struct uuid *customer_id, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE cards SET status = 'gone', is_default = 0, updated_us = $2"
                  " WHERE customer_id = $1 AND status = 'active'",
                  DB_ID(customer_id), DB_I64(now_us));
}

#define EXPIRY "exp_year * 12 + exp_month"

enum errc cards_expiring(struct db *db, int month, struct arena *arena, struct card *cards, size_t max,
                         size_t *count, struct err *err)
{
    *count = 0;
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " CARD_NAMES " FROM cards WHERE status = 'active' AND exp_month > 0"
                            " AND expiring_told < " EXPIRY " AND " EXPIRY " <= $1 ORDER BY " EXPIRY
                            " LIMIT $2" FREE_ONLY,
                            DB_I64(month), DB_I64((int64_t)max));
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            rc = card_read(&rows, arena, &cards[*count], err);
            bool damaged = db_take_damage(db);
            rc = damaged ? OK : rc;
            *count += !damaged;
        }
    }
    return rc;
}

enum errc card_expiring_told(struct db *db, const struct card *card, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE cards SET expiring_told = " EXPIRY " WHERE id = $1",
                  DB_ID(&card->id));
}

// --- the list

static const struct filter filters[] = {
    {"customer_email", FILTER_EMAIL,
     "id IN (SELECT id FROM cards WHERE customer_id IN (SELECT id FROM customers WHERE merchant_id = :owner"
     " AND livemode = :mode AND email = :value))",
     NULL, REACH_FEW},
    {"expires_soon", FILTER_BY_MONTH, "exp_month > 0 AND " EXPIRY " <= :value"},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing card_listing = {
    .name = "cards",
    .table = "cards",
    .columns = CARD_NAMES,
    .owner = "merchant_id = :owner",
    .always = "status = 'active'",
    .has_modes = true,
    .filters = filters,
};
