// Merchants. Admins are rows here too, so that their keys belong to somebody; lists of merchants leave them
// out. Database thread.
#include "store/merchants.h"

#include "base/text.h"

#define COLUMNS                                                                                              \
    "id, name, role, is_active, webhook_url, webhook_secret, webhook_secret_old, "                           \
    "webhook_secret_old_until_us,"                                                                           \
    " webhook_stopped, created_us, updated_us"
#define ROLE_ADMIN "admin"
#define ROLE_MERCHANT "merchant"

static void read_row(struct db_rows *rows, struct arena *arena, struct merchant *merchant)
{
    *merchant = (struct merchant){
        .id = db_uuid(rows, 0),
        .name = db_text(rows, 1, arena),
        .is_admin = text_equal(db_text(rows, 2, arena), ROLE_ADMIN),
        .is_active = db_bool(rows, 3),
        .webhook_url = db_text(rows, 4, arena),
        .webhook_secret_old_until_us = db_i64(rows, 7),
        .webhook_stopped = db_bool(rows, 8),
        .created_us = db_i64(rows, 9),
        .updated_us = db_i64(rows, 10),
    };
    merchant->webhook_secret = db_blob(rows, 5, arena, &merchant->webhook_secret_bytes);
    merchant->webhook_secret_old = db_blob(rows, 6, arena, &merchant->webhook_secret_old_bytes);
}

// Fills the array from a statement that asks for one row more than there is room.
static enum errc read_rows(struct db_rows *rows, struct arena *arena, struct merchant *merchants, size_t max,
                           size_t *count, bool *more, struct err *err)
{
    size_t read = 0;
    bool has = false;
    enum errc e = db_next(rows, &has, err);
    while (e == OK && has && read < max) {
        read_row(rows, arena, &merchants[read++]);
        e = db_next(rows, &has, err);
    }
    if (e == OK) {
        *count = read;
        *more = has;
    }
    return e;
}

enum errc merchant_get(struct db *db, const struct uuid *id, struct arena *arena, struct merchant *merchant,
                       struct err *err)
{
    DB_ROWS(rows);
    enum errc e = db_query(db, &rows, err, "SELECT " COLUMNS " FROM merchants WHERE id = $1", DB_ID(id));
    bool has = false;
    if (e == OK) {
        e = db_next(&rows, &has, err);
    }
    if (e != OK) {
        return e;
    }
    if (!has) {
        return err_set(err, ERR_NOT_FOUND, "there is no such merchant");
    }
    read_row(&rows, arena, merchant);
    return OK;
}

enum errc merchant_insert(struct db *db, const struct merchant *merchant, struct err *err)
{
    int64_t until_us = merchant->webhook_secret_old_until_us;
    return db_run(db, NULL, err,
                  "INSERT INTO merchants (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                  DB_ID(&merchant->id), DB_STR(merchant->name),
                  DB_STR(merchant->is_admin ? ROLE_ADMIN : ROLE_MERCHANT), DB_I64(merchant->is_active),
                  DB_STR(merchant->webhook_url),
                  DB_BYTES(merchant->webhook_secret, merchant->webhook_secret_bytes),
                  DB_BYTES(merchant->webhook_secret_old, merchant->webhook_secret_old_bytes),
                  until_us == 0 ? DB_NIL : DB_I64(until_us), DB_I64(merchant->webhook_stopped),
                  DB_I64(merchant->created_us), DB_I64(merchant->updated_us));
}

enum errc merchant_update_webhook(struct db *db, const struct merchant *merchant, struct err *err)
{
    int64_t until_us = merchant->webhook_secret_old_until_us;
    int64_t changed = 0;
    enum errc e =
        db_run(db, &changed, err,
               "UPDATE merchants SET webhook_url = $2, webhook_secret = $3, webhook_secret_old = $4,"
               " webhook_secret_old_until_us = $5, webhook_stopped = $6, updated_us = $7 WHERE id = $1",
               DB_ID(&merchant->id), DB_STR(merchant->webhook_url),
               DB_BYTES(merchant->webhook_secret, merchant->webhook_secret_bytes),
               DB_BYTES(merchant->webhook_secret_old, merchant->webhook_secret_old_bytes),
               until_us == 0 ? DB_NIL : DB_I64(until_us), DB_I64(merchant->webhook_stopped),
               DB_I64(merchant->updated_us));
    if (e == OK && changed == 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no such merchant");
    }
    return e;
}

enum errc merchants_clock_set_back(struct db *db, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE merchants SET webhook_secret_old_until_us = $1"
                  " WHERE webhook_secret_old_until_us > $1",
                  DB_I64(now_us + WEBHOOK_SECRETS_OVERLAP_US));
}

enum errc merchant_set_active(struct db *db, const struct uuid *id, bool active, int64_t now_us,
                              bool *changed, struct err *err)
{
    int64_t count = 0;
    enum errc e =
        db_run(db, &count, err,
               "UPDATE merchants SET is_active = $2, updated_us = $3 WHERE id = $1 AND is_active <> $2",
               DB_ID(id), DB_I64(active), DB_I64(now_us));
    if (e == OK) {
        *changed = count > 0;
    }
    return e;
}

enum errc merchant_list(struct db *db, bool admins, struct arena *arena, struct merchant *merchants,
                        size_t max, size_t *count, bool *more, struct err *err)
{
    DB_ROWS(rows);
    enum errc e = db_query(db, &rows, err,
                           "SELECT " COLUMNS " FROM merchants WHERE $1 OR role = '" ROLE_MERCHANT
                           "' ORDER BY id LIMIT $2",
                           DB_I64(admins), DB_I64((int64_t)max + 1));
    return e != OK ? e : read_rows(&rows, arena, merchants, max, count, more, err);
}

enum errc merchant_find_named(struct db *db, const char *name, struct arena *arena,
                              struct merchant *merchants, size_t max, size_t *count, bool *more,
                              struct err *err)
{
    DB_ROWS(rows);
    enum errc e =
        db_query(db, &rows, err, "SELECT " COLUMNS " FROM merchants WHERE name = $1 ORDER BY id LIMIT $2",
                 DB_STR(name), DB_I64((int64_t)max + 1));
    return e != OK ? e : read_rows(&rows, arena, merchants, max, count, more, err);
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
