// Queries on provider credentials. Invariant: the version that an open operation was made with keeps its
// secret, even if it was replaced or deleted since. Only sealed values pass through here. Database thread.
#include "store/credentials.h"

#include "store/columns.h"
#include "store/kept_rows.h"

// clang-format off
#define COLUMNS(FIRST, NEXT)                     \
    FIRST(id,             ID,   id)              \
    NEXT (merchant_id,    ID,   merchant_id)     \
    NEXT (provider,       TEXT, provider)        \
    NEXT (livemode,       BOOL, livemode)        \
    NEXT (is_active,      BOOL, is_active)       \
    NEXT (version_id,     ID,   version_id)      \
    NEXT (webhook_secret, BLOB, webhook_secret)  \
    NEXT (created_us,     I64,  created_us)      \
    NEXT (updated_us,     I64,  updated_us)
// clang-format on
#define NAMES COLUMN_NAMES(COLUMNS)
#define INSERT "INSERT INTO credentials " COLUMN_INSERT(COLUMNS)

static void read_row(struct db_rows *rows, struct arena *arena, struct credential *row)
{
    COLUMN_READ(COLUMNS, rows);
}

enum errc credential_get(struct db *db, const struct uuid *merchant_id, const char *provider, bool livemode,
                         struct arena *arena, struct credential *credential, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = kept_one(db, &rows, "the merchant has no credentials for this provider and mode", err,
                            "SELECT " NAMES " FROM credentials"
                            " WHERE merchant_id = $1 AND provider = $2 AND livemode = $3",
                            DB_ID(merchant_id), DB_STR(provider), DB_I64(livemode));
    if (rc == OK) {
        read_row(&rows, arena, credential);
    }
    return rc;
}

enum errc credential_lock(struct db *db, const struct uuid *id, struct err *err)
{
    return db_lock(db, err, "SELECT 1 FROM credentials WHERE id = $1" LOCKED, DB_ID(id));
}

enum errc credential_list(struct db *db, const struct uuid *merchant_id, struct arena *arena,
                          struct credential credentials[2], size_t *count, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT " NAMES " FROM credentials WHERE merchant_id = $1"
                            " ORDER BY provider, livemode DESC LIMIT 2",
                            DB_ID(merchant_id));
    size_t read = 0;
    while (rc == OK && read < 2) {
        bool has;
        rc = db_next(&rows, &has, err);
        if (rc != OK || !has) {
            break;
        }
        read_row(&rows, arena, &credentials[read++]);
    }
    if (rc == OK) {
        *count = read;
    }
    return rc;
}

enum errc credential_put(struct db *db, const struct credential *row, struct err *err)
{
    // An existing row keeps its id and created_us: its webhook secret is sealed with that id.
    return db_run(db, NULL, err,
                  INSERT " ON CONFLICT (merchant_id, provider, livemode) DO UPDATE SET"
                         " is_active = excluded.is_active, version_id = excluded.version_id,"
                         " webhook_secret = excluded.webhook_secret, updated_us = excluded.updated_us",
                  COLUMN_VALUES(COLUMNS));
}

enum errc credential_set_active(struct db *db, const struct uuid *id, bool active, int64_t now_us,
                                struct err *err)
{
    int64_t changed = 0;
    enum errc rc =
        db_run(db, &changed, err, "UPDATE credentials SET is_active = $2, updated_us = $3 WHERE id = $1",
               DB_ID(id), DB_I64(active), DB_I64(now_us));
    if (rc == OK && changed == 0) {
        return err_set(err, ERR_NOT_FOUND, "there are no such credentials");
    }
    return rc;
}

enum errc credential_version_get(struct db *db, const struct uuid *version_id, struct arena *arena,
                                 const uint8_t **sealed, size_t *bytes, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc =
        kept_one(db, &rows, "this version of the credentials is not kept any more", err,
                 "SELECT secret_key FROM credential_versions WHERE id = $1 AND secret_key IS NOT NULL",
                 DB_ID(version_id));
    if (rc == OK) {
        *sealed = db_blob(&rows, 0, arena, bytes);
    }
    return rc;
}

enum errc credential_version_insert(struct db *db, const struct uuid *version_id,
                                    const struct uuid *credential_id, const uint8_t *sealed, size_t bytes,
                                    int64_t now_us, struct err *err)
{
    return db_run(
        db, NULL, err,
        "INSERT INTO credential_versions (id, credential_id, secret_key, created_us) VALUES ($1, $2, $3, $4)",
        DB_ID(version_id), DB_ID(credential_id), DB_BYTES(sealed, bytes), DB_I64(now_us));
}

// Reads all open operations for each version that still has a key: both are few, and a new key is rare. An
// index by version would be written twice by each operation.
enum errc credential_versions_wipe(struct db *db, const struct uuid *credential_id, struct err *err)
{
    return db_run(
        db, NULL, err,
        "UPDATE credential_versions SET secret_key = NULL WHERE credential_id = $1 AND secret_key IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM credentials c WHERE c.version_id = credential_versions.id)"
        " AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.credential_version_id = credential_versions.id)",
        DB_ID(credential_id));
}

// Starts the walk. Asks for one row more than may be visited, to know whether there are others.
#define ACCEPTED "webhook_secret IS NOT NULL AND (is_active = 1 OR updated_us > $1)"

static enum errc query_webhooks(struct db *db, struct db_rows *rows, const struct uuid *merchant_id,
                                int64_t now_us, size_t max, struct err *err)
{
    int64_t limit = (int64_t)max + 1;
    int64_t deleted_after_us = now_us - RETIRED_SECRET_US;
    if (merchant_id == NULL) {
        return db_query(db, rows, err,
                        "SELECT id, merchant_id, livemode, webhook_secret, is_active FROM credentials"
                        " WHERE " ACCEPTED " ORDER BY id LIMIT $2",
                        DB_I64(deleted_after_us), DB_I64(limit));
    }
    return db_query(db, rows, err,
                    "SELECT id, merchant_id, livemode, webhook_secret, is_active FROM credentials"
                    " WHERE " ACCEPTED " AND merchant_id = $3 ORDER BY id LIMIT $2",
                    DB_I64(deleted_after_us), DB_I64(limit), DB_ID(merchant_id));
}

enum errc credential_webhooks_each(struct db *db, const struct uuid *merchant_id, int64_t now_us, size_t max,
                                   bool (*visit)(const struct credential_webhook *webhook, void *context),
                                   void *context, bool *more, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = query_webhooks(db, &rows, merchant_id, now_us, max, err);
    *more = false;
    for (size_t seen = 0; rc == OK; seen++) {
        bool has;
        rc = db_next(&rows, &has, err);
        if (rc != OK || !has) {
            break;
        }
        if (seen == max) {
            *more = true;
            break;
        }
        ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
        struct credential_webhook webhook = {
            .credential_id = db_uuid(&rows, 0),
            .merchant_id = db_uuid(&rows, 1),
            .livemode = db_bool(&rows, 2),
            .retired = !db_bool(&rows, 4),
        };
        webhook.sealed = db_blob(&rows, 3, &arena, &webhook.bytes);
        if (!visit(&webhook, context)) {
            break;
        }
    }
    return rc;
}
