// API keys. A row says whom a key belongs to and what it may do; the key cannot be computed from it. A
// revoked row stays, so that the prefixes in the audit log keep their meaning. Database thread.
#include "store/api_keys.h"

#include "store/columns.h"
#include "store/kept_rows.h"

// clang-format off
#define COLUMNS(FIRST, NEXT)                      \
    FIRST(id,          ID,          id)           \
    NEXT (merchant_id, ID,          merchant_id)  \
    NEXT (hash,        FIXED,       hash)         \
    NEXT (prefix,      TEXT,        prefix)       \
    NEXT (scopes,      SCOPES,      scopes)       \
    NEXT (livemode,    BOOL,        livemode)     \
    NEXT (name,        TEXT,        name)         \
    NEXT (expires_us,  I64_OR_NULL, expires_us)   \
    NEXT (revoked_us,  I64_OR_NULL, revoked_us)   \
    NEXT (created_us,  I64,         created_us)
// clang-format on

#define COLUMN_VALUE_SCOPES(field) DB_I64(row->field)
#define COLUMN_READ_SCOPES(field) row->field = (uint32_t)db_i64(from, column++)

// Their names in a query that joins tables.
#define NAME_OF_KEY(name, type, field) "k." #name
#define NEXT_NAME_OF_KEY(name, type, field) ", k." #name
#define NAMES COLUMNS(NAME_OF_KEY, NEXT_NAME_OF_KEY)

static void read_row(struct db_rows *rows, struct arena *arena, struct api_key *row)
{
    COLUMN_READ(COLUMNS, rows);
}

static enum errc read_rows(struct db_rows *rows, struct arena *arena, struct api_key *keys, size_t max,
                           size_t *count, struct err *err)
{
    size_t read = 0;
    while (read < max) {
        bool has;
        enum errc rc = db_next(rows, &has, err);
        if (rc != OK) {
            return rc;
        }
        if (!has) {
            break;
        }
        read_row(rows, arena, &keys[read++]);
    }
    *count = read;
    return OK;
}

enum errc api_key_insert(struct db *db, const struct api_key *row, struct err *err)
{
    return db_run(db, NULL, err, "INSERT INTO api_keys " COLUMN_INSERT(COLUMNS), COLUMN_VALUES(COLUMNS));
}

enum errc api_key_find(struct db *db, const uint8_t hash[32], struct arena *arena, struct api_key *key,
                       struct api_key_owner *owner, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = kept_one(db, &rows, "there is no such API key", err,
                            "SELECT " NAMES ", m.is_active, m.role = 'admin'"
                            " FROM api_keys k JOIN merchants m ON m.id = k.merchant_id WHERE k.hash = $1",
                            DB_BYTES(hash, (size_t)32));
    if (rc == OK) {
        read_row(&rows, arena, key);
        owner->merchant_active = db_bool(&rows, COLUMN_COUNT(COLUMNS));
        owner->is_admin = db_bool(&rows, COLUMN_COUNT(COLUMNS) + 1);
    }
    return rc;
}

enum errc api_key_note_use(struct db *db, const struct uuid *id, int64_t at_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO key_uses (key_id, used_us) VALUES ($1, $2) ON CONFLICT (key_id) DO UPDATE"
                  " SET used_us = excluded.used_us WHERE key_uses.used_us < excluded.used_us",
                  DB_ID(id), DB_I64(at_us));
}

const char *api_key_state(const struct api_key *key, bool merchant_active, int64_t now_us)
{
    if (key->revoked_us != 0) {
        return "revoked";
    }
    if (key->expires_us != 0 && key->expires_us <= now_us) {
        return "expired";
    }
    return merchant_active ? "active" : "inactive";
}

enum errc api_key_search(struct db *db, const char *id_or_prefix, struct arena *arena, struct api_key *keys,
                         size_t max, size_t *count, struct err *err)
{
    DB_ROWS(rows);
    struct uuid id;
    enum errc rc;
    if (uuid_parse(id_or_prefix, &id)) {
        rc = db_query(db, &rows, err, "SELECT " NAMES " FROM api_keys k WHERE k.id = $1 LIMIT $2", DB_ID(&id),
                      DB_I64((int64_t)max));
    } else {
        rc = db_query(db, &rows, err,
                      "SELECT " NAMES " FROM api_keys k WHERE k.prefix = $1 ORDER BY k.id DESC LIMIT $2",
                      DB_STR(id_or_prefix), DB_I64((int64_t)max));
    }
    return rc != OK ? rc : read_rows(&rows, arena, keys, max, count, err);
}

enum errc api_key_list(struct db *db, const struct uuid *merchant_id, struct arena *arena,
                       struct api_key *keys, size_t max, size_t *count, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc;
    if (uuid_is_nil(merchant_id)) {
        rc = db_query(db, &rows, err, "SELECT " NAMES " FROM api_keys k ORDER BY k.id DESC LIMIT $1",
                      DB_I64((int64_t)max));
    } else {
        rc = db_query(db, &rows, err,
                      "SELECT " NAMES " FROM api_keys k WHERE k.merchant_id = $1 ORDER BY k.id DESC LIMIT $2",
                      DB_ID(merchant_id), DB_I64((int64_t)max));
    }
    return rc != OK ? rc : read_rows(&rows, arena, keys, max, count, err);
}

enum errc api_key_revoke(struct db *db, const struct uuid *id, int64_t now_us, bool *changed, struct err *err)
{
    int64_t count = 0;
    enum errc rc =
        db_run(db, &count, err, "UPDATE api_keys SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL",
               DB_ID(id), DB_I64(now_us));
    if (rc == OK) {
        *changed = count > 0;
    }
    return rc;
}

// --- the list

#define SHOWN                                                                                                \
    COLUMN_NAMES(COLUMNS)                                                                                    \
    ", (SELECT m.is_active FROM merchants m WHERE m.id = api_keys.merchant_id) AS merchant_active"           \
    ", (SELECT u.used_us FROM key_uses u WHERE u.key_id = api_keys.id) AS used_us"

void api_key_read(struct db_rows *rows, struct arena *arena, struct api_key_shown *shown)
{
    read_row(rows, arena, &shown->key);
    shown->merchant_active = db_bool(rows, COLUMN_COUNT(COLUMNS));
    shown->used_us = db_i64(rows, COLUMN_COUNT(COLUMNS) + 1);
}

enum errc api_key_show(struct db *db, const struct uuid *id, struct arena *arena, struct api_key_shown *shown,
                       struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "there is no such API key", err,
                          "SELECT " SHOWN " FROM api_keys WHERE id = $1", DB_ID(id));
    if (rc == OK) {
        api_key_read(&rows, arena, shown);
    }
    return rc;
}

static const struct filter filters[] = {
    {"merchant_id", FILTER_ID, "merchant_id = :value", NULL, REACH_OWNER},
    {"prefix", FILTER_TEXT, "prefix = :value"},
    {"revoked", FILTER_FLAG, "(CASE WHEN revoked_us IS NULL THEN 0 ELSE 1 END) = :value"},
    {"livemode", FILTER_LIVEMODE},
    {"since", FILTER_SINCE},
    {"until", FILTER_UNTIL},
    {NULL},
};

const struct listing api_key_listing = {
    .name = "api_keys",
    .table = "api_keys",
    .columns = SHOWN,
    .owner = "merchant_id = :owner",
    .has_modes = true,
    .filters = filters,
};
