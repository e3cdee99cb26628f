// Queries on idempotency keys and on the answers stored beside them.
#include "store/idempotency.h"

#include "store/columns.h"

// clang-format off
#define KEY(FIRST, NEXT)                   \
    FIRST(merchant_id, ID,   merchant_id)  \
    NEXT (livemode,    BOOL, livemode)     \
    NEXT (kind,        TEXT, kind)         \
    NEXT (key,         TEXT, key)

#define REST(FIRST, NEXT)                          \
    FIRST(request_hash, FIXED,      request_hash)  \
    NEXT (subject_id,   ID,         subject_id)    \
    NEXT (created_us,   I64,        created_us)    \
    NEXT (reply_id,     ID_OR_NULL, reply_id)
// clang-format on
#define COLUMNS(FIRST, NEXT) KEY(FIRST, NEXT) REST(NEXT, NEXT)

enum errc idempotency_find(struct db *db, const struct uuid *merchant_id, bool livemode, const char *kind,
                           const char *key, struct idempotency_key *row, bool *found, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_first(
        db, &rows, found, err,
        "SELECT " COLUMN_NAMES(REST) " FROM idempotency_keys"
                                     " WHERE merchant_id = $1 AND livemode = $2 AND kind = $3 AND key = $4",
        DB_ID(merchant_id), DB_I64(livemode), DB_STR(kind), DB_STR(key));
    if (*found) {
        *row = (struct idempotency_key){
            .merchant_id = *merchant_id, .livemode = livemode, .kind = kind, .key = key};
        COLUMN_READ(REST, &rows);
    }
    return rc;
}

#define INSERT "INSERT INTO idempotency_keys " COLUMN_INSERT(COLUMNS)

enum errc idempotency_insert(struct db *db, const struct idempotency_key *row, struct err *err)
{
    return db_run(db, NULL, err, INSERT, COLUMN_VALUES(COLUMNS));
}

enum errc idempotency_insert_free(struct db *db, const struct idempotency_key *row, struct err *err)
{
    return db_run(db, NULL, err, INSERT " ON CONFLICT DO NOTHING", COLUMN_VALUES(COLUMNS));
}

static const char get_reply[] = "SELECT status, body FROM replies WHERE subject_id = $1";

enum errc reply_get(struct db *db, const struct uuid *subject_id, struct arena *arena,
                    struct stored_reply *reply, struct err *err)
{
    *reply = (struct stored_reply){0};
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = db_first(db, &rows, &has, err, get_reply, DB_ID(subject_id));
    if (!has) {
        return rc;
    }
    reply->status = db_count(&rows, 0);
    reply->sealed = db_blob(&rows, 1, arena, &reply->bytes);
    return reply->status >= 200 && reply->status <= 599 ? OK : db_damaged(&rows, "status", err);
}

enum errc reply_insert(struct db *db, const struct uuid *subject_id, const struct stored_reply *reply,
                       int64_t now_us, bool *fresh, struct err *err)
{
    bool has = false;
    {
        DB_ROWS(rows);
        const enum errc rc = db_first(db, &rows, &has, err, get_reply, DB_ID(subject_id));
        if (rc != OK) {
            return rc;
        }
    }
    *fresh = !has;
    return has ? OK
               : db_run(db, NULL, err,
                        "INSERT INTO replies (subject_id, status, body, created_us) VALUES ($1, $2, $3, $4)",
                        DB_ID(subject_id), DB_I64(reply->status), DB_BYTES(reply->sealed, reply->bytes),
                        DB_I64(now_us));
}
