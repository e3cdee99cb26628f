// Queries on customers.
#include "store/customers.h"

#include "store/columns.h"

// clang-format off
#define COLUMNS(FIRST, NEXT)                                   \
    FIRST(id,                    ID,   id)                     \
    NEXT (merchant_id,           ID,   merchant_id)            \
    NEXT (livemode,              BOOL, livemode)               \
    NEXT (email,                 TEXT, email)                  \
    NEXT (body,                  TEXT, body)                   \
    NEXT (provider_ref,          TEXT, provider_ref)           \
    NEXT (credential_version_id, ID,   credential_version_id)  \
    NEXT (gone_us,               I64,  gone_us)                \
    NEXT (created_us,            I64,  created_us)
// clang-format on
#define NAMES COLUMN_NAMES(COLUMNS)

#define NO_SUCH_CUSTOMER "no such customer"

void customer_read(struct db_rows *rows, struct arena *arena, struct customer *row)
{
    *row = (struct customer){0};
    COLUMN_READ(COLUMNS, rows);
}

enum errc customer_by_email(struct db *db, const struct uuid *merchant_id, bool livemode, const char *email,
                            struct arena *arena, struct customer *customer, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_CUSTOMER, err,
                          "SELECT " NAMES " FROM customers WHERE merchant_id = $1 AND livemode = $2"
                          " AND email = $3 AND gone_us = 0",
                          DB_ID(merchant_id), DB_I64(livemode), DB_STR(email));
    if (rc == OK) {
        customer_read(&rows, arena, customer);
    }
    return rc;
}

enum errc customer_plan_get(struct db *db, const struct uuid *id, struct arena *arena,
                            struct customer *customer, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_one(db, &rows, NO_SUCH_CUSTOMER, err, "SELECT " NAMES " FROM customers WHERE id = $1", DB_ID(id));
    if (rc == OK) {
        customer_read(&rows, arena, customer);
    }
    return rc;
}

enum errc customer_get(struct db *db, const struct uuid *id, struct arena *arena, struct customer *customer,
                       struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_CUSTOMER, err,
                          "SELECT " NAMES " FROM customers WHERE id = $1" LOCKED, DB_ID(id));
    if (rc == OK) {
        customer_read(&rows, arena, customer);
    }
    return rc;
}

enum errc customer_by_ref(struct db *db, const struct uuid *merchant_id, bool livemode,
                          const char *provider_ref, struct arena *arena, struct customer *customer,
                          struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, NO_SUCH_CUSTOMER, err,
                          "SELECT " NAMES " FROM customers WHERE provider_ref = $1 AND merchant_id = $2"
                          " AND livemode = $3",
                          DB_STR(provider_ref), DB_ID(merchant_id), DB_I64(livemode));
    if (rc == OK) {
        customer_read(&rows, arena, customer);
    }
    return rc;
}

enum errc customer_insert(struct db *db, const struct customer *row, struct err *err)
{
    return db_run(db, NULL, err, "INSERT INTO customers " COLUMN_INSERT(COLUMNS), COLUMN_VALUES(COLUMNS));
}

enum errc customer_set_ref(struct db *db, const struct uuid *id, const char *provider_ref, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE customers SET provider_ref = $2 WHERE id = $1", DB_ID(id),
                  DB_STR(provider_ref));
}

enum errc customer_set_gone(struct db *db, const struct uuid *id, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE customers SET gone_us = $2 WHERE id = $1 AND gone_us = 0", DB_ID(id),
                  DB_I64(now_us));
}

// --- the list

static const struct filter filters[] = {
    // Through ids, so that SQLite searches these customers and not all of the merchant's.
    {"email", FILTER_EMAIL,
     "id IN (SELECT id FROM customers WHERE merchant_id = :owner AND livemode = :mode AND email = :value)",
     NULL, REACH_FEW},
    {"provider_ref", FILTER_TEXT, "id IN (SELECT id FROM customers WHERE provider_ref = :value)", NULL,
     REACH_FEW},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {"livemode", FILTER_LIVEMODE},
    {NULL},
};

const struct listing customer_listing = {
    .name = "customers",
    .table = "customers",
    .columns = NAMES,
    .owner = "merchant_id = :owner",
    .always = "provider_ref IS NOT NULL",
    .has_modes = true,
    .filters = filters,
};
