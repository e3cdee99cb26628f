// API keys. A row says who a key belongs to and what it may do; the key itself cannot be had from it. A
// revoked row stays, so that the audit log's prefixes keep their meaning. Database thread.
#include "store/api_keys.h"

#define COLUMNS                                                                                              \
    "k.id, k.merchant_id, k.hash, k.prefix, k.scopes, k.livemode, k.name, k.expires_us, k.revoked_us, "      \
    "k.created_us"
#define COLUMN_COUNT 10

static void read_row(struct db_rows *rows, struct arena *arena, struct api_key *key)
{
    *key = (struct api_key){
        .id = db_uuid(rows, 0),
        .merchant_id = db_uuid(rows, 1),
        .prefix = db_text(rows, 3, arena),
        .scopes = (uint32_t)db_i64(rows, 4),
        .livemode = db_bool(rows, 5),
        .name = db_text(rows, 6, arena),
        .expires_us = db_i64(rows, 7),
        .revoked_us = db_i64(rows, 8),
        .created_us = db_i64(rows, 9),
    };
    db_fixed(rows, 2, key->hash, sizeof key->hash);
}

static enum errc read_rows(struct db_rows *rows, struct arena *arena, struct api_key *keys, size_t max,
                           size_t *count, struct err *err)
{
    size_t read = 0;
    while (read < max) {
        bool has;
        enum errc e = db_next(rows, &has, err);
        if (e != OK) {
            return e;
        }
        if (!has) {
            break;
        }
        read_row(rows, arena, &keys[read++]);
    }
    *count = read;
    return OK;
}

enum errc api_key_insert(struct db *db, const struct api_key *key, struct err *err)
{
    return db_run(
        db, NULL, err,
        "INSERT INTO api_keys (id, merchant_id, hash, prefix, scopes, livemode, name, expires_us, revoked_us,"
        " created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        DB_ID(&key->id), DB_ID(&key->merchant_id), DB_BYTES(key->hash, sizeof key->hash), DB_STR(key->prefix),
        DB_I64(key->scopes), DB_I64(key->livemode), DB_STR(key->name),
        key->expires_us == 0 ? DB_NIL : DB_I64(key->expires_us),
        key->revoked_us == 0 ? DB_NIL : DB_I64(key->revoked_us), DB_I64(key->created_us));
}

enum errc api_key_find(struct db *db, const uint8_t hash[32], struct arena *arena, struct api_key *key,
                       struct api_key_owner *owner, struct err *err)
{
    DB_ROWS(rows);
    enum errc e = db_query(db, &rows, err,
                           "SELECT " COLUMNS ", m.is_active, m.role = 'admin'"
                           " FROM api_keys k JOIN merchants m ON m.id = k.merchant_id WHERE k.hash = $1",
                           DB_BYTES(hash, (size_t)32));
    bool has = false;
    if (e == OK) {
        e = db_next(&rows, &has, err);
    }
    if (e != OK) {
        return e;
    }
    if (!has) {
        return err_set(err, ERR_NOT_FOUND, "there is no such API key");
    }
    read_row(&rows, arena, key);
    *owner = (struct api_key_owner){
        .merchant_active = db_bool(&rows, COLUMN_COUNT),
        .is_admin = db_bool(&rows, COLUMN_COUNT + 1),
    };
    return OK;
}

enum errc api_key_search(struct db *db, const char *id_or_prefix, struct arena *arena, struct api_key *keys,
                         size_t max, size_t *count, struct err *err)
{
    DB_ROWS(rows);
    struct uuid id;
    enum errc e;
    if (uuid_parse(id_or_prefix, &id)) {
        e = db_query(db, &rows, err, "SELECT " COLUMNS " FROM api_keys k WHERE k.id = $1 LIMIT $2",
                     DB_ID(&id), DB_I64((int64_t)max));
    } else {
        e = db_query(db, &rows, err,
                     "SELECT " COLUMNS " FROM api_keys k WHERE k.prefix = $1 ORDER BY k.id DESC LIMIT $2",
                     DB_STR(id_or_prefix), DB_I64((int64_t)max));
    }
    return e != OK ? e : read_rows(&rows, arena, keys, max, count, err);
}

enum errc api_key_list(struct db *db, const struct uuid *merchant_id, struct arena *arena,
                       struct api_key *keys, size_t max, size_t *count, struct err *err)
{
    DB_ROWS(rows);
    enum errc e;
    if (uuid_is_nil(merchant_id)) {
        e = db_query(db, &rows, err, "SELECT " COLUMNS " FROM api_keys k ORDER BY k.id DESC LIMIT $1",
                     DB_I64((int64_t)max));
    } else {
        e = db_query(db, &rows, err,
                     "SELECT " COLUMNS
                     " FROM api_keys k WHERE k.merchant_id = $1 ORDER BY k.id DESC LIMIT $2",
                     DB_ID(merchant_id), DB_I64((int64_t)max));
    }
    return e != OK ? e : read_rows(&rows, arena, keys, max, count, err);
}

enum errc api_key_revoke(struct db *db, const struct uuid *id, int64_t now_us, bool *changed, struct err *err)
{
    int64_t count = 0;
    enum errc e =
        db_run(db, &count, err, "UPDATE api_keys SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL",
               DB_ID(id), DB_I64(now_us));
    if (e == OK) {
        *changed = count > 0;
    }
    return e;
}
