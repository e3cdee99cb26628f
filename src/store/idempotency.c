// Queries on idempotency keys and on the answers stored beside them.
#include "store/idempotency.h"

enum errc idempotency_find(struct db *db, const struct uuid *merchant_id, bool livemode, const char *kind,
                           const char *key, struct idempotency_key *found_key, bool *found, struct err *err)
{
    *found = false;
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT request_hash, subject_id, created_us, reply_id FROM idempotency_keys"
                            " WHERE merchant_id = $1 AND livemode = $2 AND kind = $3 AND key = $4",
                            DB_ID(merchant_id), DB_I64(livemode), DB_STR(kind), DB_STR(key));
    bool has = false;
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc != OK || !has) {
        return rc;
    }
    *found_key = (struct idempotency_key){
        .merchant_id = *merchant_id,
        .livemode = livemode,
        .kind = kind,
        .key = key,
        .subject_id = db_uuid(&rows, 1),
        .created_us = db_i64(&rows, 2),
        .reply_id = db_uuid(&rows, 3),
    };
    db_fixed(&rows, 0, found_key->request_hash, sizeof(found_key->request_hash));
    *found = true;
    return OK;
}

#define INSERT                                                                                               \
    "INSERT INTO idempotency_keys (merchant_id, livemode, kind, key, request_hash, subject_id, created_us,"  \
    " reply_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
#define VALUES(key)                                                                                          \
    DB_ID(&(key)->merchant_id), DB_I64((key)->livemode), DB_STR((key)->kind), DB_STR((key)->key),            \
        DB_BYTES((key)->request_hash, sizeof((key)->request_hash)), DB_ID(&(key)->subject_id),               \
        DB_I64((key)->created_us), uuid_is_nil(&(key)->reply_id) ? DB_NIL : DB_ID(&(key)->reply_id)

enum errc idempotency_insert(struct db *db, const struct idempotency_key *key, struct err *err)
{
    return db_run(db, NULL, err, INSERT, VALUES(key));
}

enum errc idempotency_insert_free(struct db *db, const struct idempotency_key *key, struct err *err)
{
    return db_run(db, NULL, err, INSERT " ON CONFLICT DO NOTHING", VALUES(key));
}

enum errc reply_get(struct db *db, const struct uuid *subject_id, struct arena *arena,
                    struct stored_reply *reply, struct err *err)
{
    *reply = (struct stored_reply){0};
    DB_ROWS(rows);
    enum errc rc =
        db_query(db, &rows, err, "SELECT status, body FROM replies WHERE subject_id = $1", DB_ID(subject_id));
    bool has = false;
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK && has) {
        reply->status = db_count(&rows, 0);
        reply->sealed = db_blob(&rows, 1, arena, &reply->bytes);
    }
    if (rc == OK && has && (reply->status < 200 || reply->status > 599)) {
        return db_damaged(&rows, 0, err);
    }
    return rc;
}

enum errc reply_insert(struct db *db, const struct uuid *subject_id, const struct stored_reply *reply,
                       int64_t now_us, bool *fresh, struct err *err)
{
    int64_t changed = 0;
    enum errc rc = db_run(db, &changed, err,
                          "INSERT INTO replies (subject_id, status, body, created_us) VALUES ($1, $2, $3, $4)"
                          " ON CONFLICT (subject_id) DO NOTHING",
                          DB_ID(subject_id), DB_I64(reply->status), DB_BYTES(reply->sealed, reply->bytes),
                          DB_I64(now_us));
    *fresh = changed == 1;
    return rc;
}

// Subjects' ids are time-ordered, so their key is the index on their age.
static struct uuid first_id_at(int64_t time_us)
{
    struct uuid id = {{0}};
    int64_t ms = time_us / 1000;
    for (int i = 5; i >= 0; i--, ms >>= 8) {
        id.bytes[i] = (uint8_t)(ms & 0xff);
    }
    return id;
}

enum errc reply_prune(struct db *db, int64_t before_us, int64_t max, int64_t *removed, struct err *err)
{
    struct uuid before = first_id_at(before_us);
    return db_run(db, removed, err,
                  "DELETE FROM replies WHERE subject_id IN"
                  " (SELECT subject_id FROM replies WHERE subject_id < $1 ORDER BY subject_id LIMIT $2)",
                  DB_ID(&before), DB_I64(max));
}
