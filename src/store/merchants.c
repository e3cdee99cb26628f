// Queries on merchants. Admins are rows of the same table, because a key needs an owner; lists of merchants
// leave them out. Database thread.
#include "store/merchants.h"

#include "base/text.h"
#include "store/columns.h"
#include "store/kept_rows.h"

// clang-format off
#define FIXED(FIRST, NEXT)               \
    FIRST(id,         ID,   id)          \
    NEXT (name,       TEXT, name)        \
    NEXT (role,       ROLE, is_admin)    \
    NEXT (is_active,  BOOL, is_active)   \
    NEXT (created_us, I64,  created_us)

// What merchant_update_webhook writes.
#define WEBHOOK(FIRST, NEXT)                                                      \
    FIRST(webhook_url,                 TEXT,        webhook_url)                  \
    NEXT (webhook_secret,              BLOB,        webhook_secret)               \
    NEXT (webhook_secret_old,          BLOB,        webhook_secret_old)           \
    NEXT (webhook_secret_old_until_us, I64_OR_NULL, webhook_secret_old_until_us)  \
    NEXT (webhook_stopped,             BOOL,        webhook_stopped)              \
    NEXT (updated_us,                  I64,         updated_us)
// clang-format on
#define COLUMNS(FIRST, NEXT) FIXED(FIRST, NEXT) WEBHOOK(NEXT, NEXT)
#define NAMES COLUMN_NAMES(COLUMNS)

#define ROLE_ADMIN "admin"
#define ROLE_MERCHANT "merchant"
#define COLUMN_VALUE_ROLE(field) DB_STR(row->field ? ROLE_ADMIN : ROLE_MERCHANT)
#define COLUMN_READ_ROLE(field) row->field = text_equal(db_text(from, column++, arena), ROLE_ADMIN)

#define NO_SUCH_MERCHANT "there is no such merchant"

static void read_row(struct db_rows *rows, struct arena *arena, struct merchant *row)
{
    COLUMN_READ(COLUMNS, rows);
}

// Fills the array from a query that asks for one row more than the array holds.
static enum errc read_rows(struct db_rows *rows, struct arena *arena, struct merchant *merchants, size_t max,
                           size_t *count, bool *more, struct err *err)
{
    size_t read = 0;
    bool has = false;
    enum errc rc = db_next(rows, &has, err);
    while (rc == OK && has && read < max) {
        read_row(rows, arena, &merchants[read++]);
        rc = db_next(rows, &has, err);
    }
    if (rc == OK) {
        *count = read;
        *more = has;
    }
    return rc;
}

enum errc merchant_get(struct db *db, const struct uuid *id, struct arena *arena, struct merchant *merchant,
                       struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = kept_one(db, &rows, NO_SUCH_MERCHANT, err, "SELECT " NAMES " FROM merchants WHERE id = $1",
                            DB_ID(id));
    if (rc == OK) {
        read_row(&rows, arena, merchant);
    }
    return rc;
}

enum errc merchant_lock(struct db *db, const struct uuid *id, struct err *err)
{
    kept_rows_recheck(db);
    return db_lock(db, err, "SELECT 1 FROM merchants WHERE id = $1" LOCKED, DB_ID(id));
}

enum errc merchant_insert(struct db *db, const struct merchant *row, struct err *err)
{
    return db_run(db, NULL, err, "INSERT INTO merchants " COLUMN_INSERT(COLUMNS), COLUMN_VALUES(COLUMNS));
}

enum errc merchant_update_webhook(struct db *db, const struct merchant *row, struct err *err)
{
    int64_t changed = 0;
    enum errc rc = db_run(db, &changed, err, "UPDATE merchants SET " COLUMN_SET(2, WEBHOOK) " WHERE id = $1",
                          DB_ID(&row->id), COLUMN_VALUES(WEBHOOK));
    if (rc == OK && changed == 0) {
        return err_set(err, ERR_NOT_FOUND, NO_SUCH_MERCHANT);
    }
    return rc == OK ? db_run(db, NULL, err, "DELETE FROM failing_endpoints WHERE merchant_id = $1",
                             DB_ID(&row->id))
                    : rc;
}

enum errc merchants_clock_set_back(struct db *db, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE merchants SET webhook_secret_old_until_us = $1"
                  " WHERE webhook_secret_old_until_us > $1",
                  DB_I64(now_us + WEBHOOK_SECRETS_OVERLAP_US));
}

enum errc merchant_update(struct db *db, const struct merchant *row, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE merchants SET name = $2, is_active = $3, updated_us = $4 WHERE id = $1",
                  DB_ID(&row->id), DB_STR(row->name), DB_I64(row->is_active), DB_I64(row->updated_us));
}

const char *merchant_role(const struct merchant *merchant)
{
    return merchant->is_admin ? ROLE_ADMIN : ROLE_MERCHANT;
}

enum errc merchant_list(struct db *db, bool admins, struct arena *arena, struct merchant *merchants,
                        size_t max, size_t *count, bool *more, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " NAMES " FROM merchants WHERE $1 = 1 OR role = '" ROLE_MERCHANT
                            "' ORDER BY id LIMIT $2",
                            DB_I64(admins), DB_I64((int64_t)max + 1));
    return rc != OK ? rc : read_rows(&rows, arena, merchants, max, count, more, err);
}

enum errc merchant_find_named(struct db *db, const char *name, struct arena *arena,
                              struct merchant *merchants, size_t max, size_t *count, bool *more,
                              struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err, "SELECT " NAMES " FROM merchants WHERE name = $1 ORDER BY id LIMIT $2",
                 DB_STR(name), DB_I64((int64_t)max + 1));
    return rc != OK ? rc : read_rows(&rows, arena, merchants, max, count, more, err);
}

enum errc merchant_holders(struct db *db, const char *provider_ref, struct uuid *merchants, size_t max,
                           size_t *count, struct err *err)
{
    *count = 0;
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT DISTINCT merchant_id FROM payments WHERE provider_ref = $1"
                            " UNION ALL SELECT DISTINCT merchant_id FROM refunds WHERE provider_ref = $1"
                            " UNION ALL SELECT DISTINCT merchant_id FROM cards WHERE provider_ref = $1"
                            " UNION ALL SELECT DISTINCT merchant_id FROM customers WHERE provider_ref = $1"
                            " LIMIT $2",
                            DB_STR(provider_ref), DB_I64((int64_t)max));
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            merchants[(*count)++] = db_uuid(&rows, 0);
        }
    }
    return rc;
}

// --- the list

void merchant_read(struct db_rows *rows, struct arena *arena, struct merchant *merchant)
{
    read_row(rows, arena, merchant);
}

static const struct filter_word roles[] = {{ROLE_ADMIN}, {ROLE_MERCHANT}, {NULL}};

static const struct filter filters[] = {
    {"role", FILTER_WORD, "role = :value", roles},
    {"is_active", FILTER_FLAG, "is_active = :value"},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {NULL},
};

const struct listing merchant_listing = {
    .name = "merchants",
    .table = "merchants",
    .columns = NAMES,
    .owner = "id = :owner",
    .filters = filters,
};
