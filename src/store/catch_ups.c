// Queries on the accounts that are asked for what this database lacks.
#include "store/catch_ups.h"

#include "store/columns.h"

// clang-format off
#define COLUMNS(FIRST, NEXT)                   \
    FIRST(credential_id, ID,   credential_id)  \
    NEXT (from_s,        I64,  from_s)         \
    NEXT (begun_us,      I64,  begun_us)       \
    NEXT (known,         BOOL, known)          \
    NEXT (payments_read, BOOL, payments_read)  \
    NEXT (page,          TEXT, page)           \
    NEXT (payments,      I64,  payments)       \
    NEXT (refunds,       I64,  refunds)        \
    NEXT (left_out,      I64,  left_out)
// clang-format on
#define NAMES COLUMN_NAMES(COLUMNS)

enum errc catch_up_get(struct db *db, const struct uuid *credential_id, struct arena *arena,
                       struct catch_up *row, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "this account is not asked for what is missing", err,
                          "SELECT " NAMES " FROM catch_ups WHERE credential_id = $1", DB_ID(credential_id));
    if (rc == OK) {
        COLUMN_READ(COLUMNS, &rows);
    }
    return rc;
}

enum errc catch_up_put(struct db *db, const struct catch_up *row, struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO catch_ups " COLUMN_INSERT(
                      COLUMNS) " ON CONFLICT (credential_id) DO UPDATE SET " COLUMN_SET(1, COLUMNS),
                  COLUMN_VALUES(COLUMNS));
}

enum errc catch_up_delete(struct db *db, const struct uuid *credential_id, struct err *err)
{
    return db_run(db, NULL, err, "DELETE FROM catch_ups WHERE credential_id = $1", DB_ID(credential_id));
}

enum errc catch_ups_begin(struct db *db, int64_t from_s, int64_t slack_s, int64_t now_us, struct err *err)
{
    enum errc rc = db_lock_values(db, err, "SELECT 1 FROM credentials ORDER BY id" LOCKED, NULL, 0);
    if (rc != OK) {
        return rc;
    }
    return db_run(
        db, NULL, err,
        "INSERT INTO catch_ups (" NAMES ")"
        " SELECT id, CASE WHEN created_us / 1000000 - $2 > $1 THEN created_us / 1000000 - $2 ELSE $1 END, $3,"
        " 0, 0, NULL, 0, 0, 0 FROM credentials WHERE true"
        " ON CONFLICT (credential_id) DO UPDATE SET payments_read = 0, page = NULL,"
        " from_s = CASE WHEN excluded.from_s < catch_ups.from_s THEN excluded.from_s"
        " ELSE catch_ups.from_s END,"
        " begun_us = CASE WHEN excluded.begun_us < catch_ups.begun_us THEN excluded.begun_us"
        " ELSE catch_ups.begun_us END",
        DB_I64(from_s), DB_I64(slack_s), DB_I64(now_us));
}

enum errc catch_ups_ask(struct db *db, const char *kind, const struct uuid *credential_id, int64_t now_us,
                        struct err *err)
{
    return db_run(
        db, NULL, err,
        "INSERT INTO operations (subject_id, kind, merchant_id, livemode, credential_version_id, attempts,"
        " unresolved, look_up, next_attempt_us, created_us)"
        " SELECT c.id, $1, c.merchant_id, c.livemode, c.version_id, 0, 0, 0, $2, $2 FROM catch_ups u"
        " JOIN credentials c ON c.id = u.credential_id WHERE c.is_active = 1 AND c.id = coalesce($3, c.id)"
        " ON CONFLICT (subject_id, kind) DO UPDATE SET next_attempt_us = excluded.next_attempt_us",
        DB_STR(kind), DB_I64(now_us), credential_id != NULL ? DB_ID(credential_id) : DB_NIL);
}

enum errc catch_ups_end(struct db *db, const char *kind, struct err *err)
{
    enum errc rc = db_run(db, NULL, err,
                          "DELETE FROM operations WHERE kind = $1"
                          " AND subject_id IN (SELECT credential_id FROM catch_ups)",
                          DB_STR(kind));
    return rc == OK ? db_run(db, NULL, err, "DELETE FROM catch_ups") : rc;
}

enum errc catch_up_is_open(struct db *db, const struct uuid *merchant_id, enum catch_up_mode mode,
                           const char *kind, bool *open, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, open, err,
                    "SELECT 1 FROM credentials c JOIN operations o ON o.subject_id = c.id AND o.kind = $2"
                    " WHERE c.merchant_id = $1 AND (c.livemode = $3 OR $3 = $4) LIMIT 1",
                    DB_ID(merchant_id), DB_STR(kind), DB_I64(mode), DB_I64(CATCH_UP_EITHER));
}

enum errc catch_ups_count(struct db *db, const char *kind, int64_t *held, int64_t *known, struct err *err)
{
    DB_ROWS(rows);
    // CROSS makes SQLite begin at these few rows, rather than walk all open operations.
    enum errc rc = db_one(db, &rows, "no count", err,
                          "SELECT count(*), CAST(coalesce(sum(u.known), 0) AS BIGINT) FROM catch_ups u"
                          " CROSS JOIN operations o WHERE o.subject_id = u.credential_id AND o.kind = $1",
                          DB_STR(kind));
    if (rc == OK) {
        *held = db_i64(&rows, 0);
        *known = db_i64(&rows, 1);
    }
    return rc;
}
