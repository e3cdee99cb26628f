// Queries on open operations.
#include "store/operations.h"

#include "store/columns.h"
#include "store/nodes.h"

// clang-format off
#define FIXED(FIRST, NEXT)                 \
    FIRST(subject_id,  ID,   subject_id)   \
    NEXT (kind,        TEXT, kind)         \
    NEXT (merchant_id, ID,   merchant_id)  \
    NEXT (livemode,    BOOL, livemode)     \
    NEXT (body,        TEXT, body)         \
    NEXT (created_us,  I64,  created_us)

// What operation_update writes; it adds a missing body.
#define CHANGING(FIRST, NEXT)                                        \
    FIRST(attempts,              COUNT,      attempts)               \
    NEXT (unresolved,            BOOL,       unresolved)             \
    NEXT (look_up,               BOOL,       lookup_only)            \
    NEXT (absent_us,             I64,        absent_us)              \
    NEXT (next_attempt_us,       I64,        next_attempt_us)        \
    NEXT (node_id,               ID_OR_NULL, node_id)                \
    NEXT (credential_version_id, ID,         credential_version_id)  \
    NEXT (refused_attempt,       COUNT,      refused_attempt)        \
    NEXT (refused_version_id,    ID_OR_NULL, refused_version_id)
// clang-format on
#define COLUMNS(FIRST, NEXT) FIXED(FIRST, NEXT) CHANGING(NEXT, NEXT)
#define NAMES COLUMN_NAMES(COLUMNS)
#define INSERT "INSERT INTO operations " COLUMN_INSERT(COLUMNS)

enum errc operation_insert(struct db *db, const struct operation *row, struct err *err)
{
    return db_run(db, NULL, err,
                  INSERT " ON CONFLICT (subject_id, kind) DO UPDATE SET next_attempt_us = CASE"
                         " WHEN excluded.next_attempt_us < operations.next_attempt_us"
                         " THEN excluded.next_attempt_us ELSE operations.next_attempt_us END,"
                         " node_id = coalesce(operations.node_id, excluded.node_id),"
                         " body = coalesce(operations.body, excluded.body)",
                  COLUMN_VALUES(COLUMNS));
}

static void read_row(struct db_rows *rows, struct arena *arena, struct operation *row)
{
    *row = (struct operation){0};
    COLUMN_READ(COLUMNS, rows);
}

enum errc operation_get(struct db *db, const struct uuid *subject_id, const char *kind, struct arena *arena,
                        struct operation *operation, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "the operation is not open", err,
                          "SELECT " NAMES " FROM operations WHERE subject_id = $1 AND kind = $2" LOCKED,
                          DB_ID(subject_id), DB_STR(kind));
    if (rc == OK) {
        read_row(&rows, arena, operation);
    }
    return rc;
}

enum errc operation_is_open(struct db *db, const struct uuid *subject_id, const char *kind, bool *open,
                            struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, open, err, "SELECT 1 FROM operations WHERE subject_id = $1 AND kind = $2",
                    DB_ID(subject_id), DB_STR(kind));
}

enum errc operation_update(struct db *db, const struct operation *row, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE operations SET body = coalesce(body, $3),"
                  " " COLUMN_SET(4, CHANGING) " WHERE subject_id = $1 AND kind = $2",
                  DB_ID(&row->subject_id), DB_STR(row->kind), DB_STR(row->body), COLUMN_VALUES(CHANGING));
}

enum errc operation_set_aside(struct db *db, const struct operation *o, int64_t until_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE operations SET next_attempt_us = $3, node_id = NULL"
                  " WHERE subject_id = $1 AND kind = $2",
                  DB_ID(&o->subject_id), DB_STR(o->kind), DB_I64(until_us));
}

enum errc operations_try_refused(struct db *db, const struct uuid *merchant_id, bool livemode, int64_t now_us,
                                 struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE operations SET next_attempt_us = $3 WHERE merchant_id = $1 AND livemode = $2"
                  " AND refused_attempt > 0 AND refused_attempt = attempts AND next_attempt_us > $3",
                  DB_ID(merchant_id), DB_I64(livemode), DB_I64(now_us));
}

enum errc operation_delete(struct db *db, const struct uuid *subject_id, const char *kind, struct err *err)
{
    return db_run(db, NULL, err, "DELETE FROM operations WHERE subject_id = $1 AND kind = $2",
                  DB_ID(subject_id), DB_STR(kind));
}

enum errc operations_next_due(struct db *db, const struct uuid *node_id, int64_t *due_us, struct err *err)
{
    *due_us = INT64_MAX;
    DB_ROWS(rows);
    bool has = false;
    enum errc rc = uuid_is_nil(node_id)
                       ? db_first(db, &rows, &has, err,
                                  "SELECT next_attempt_us FROM operations ORDER BY next_attempt_us LIMIT 1")
                       : db_first(db, &rows, &has, err,
                                  "SELECT next_attempt_us FROM operations WHERE " NODES_MAY_CLAIM(
                                      "$1") " ORDER BY next_attempt_us LIMIT 1",
                                  DB_ID(node_id));
    if (has) {
        *due_us = db_i64(&rows, 0);
    }
    return rc;
}

enum errc operations_claim(struct db *db, const struct uuid *node_id, int64_t now_us, int64_t lease_us,
                           struct arena *arena, struct operation *operations, size_t max, size_t *count,
                           struct err *err)
{
    *count = 0;
    int64_t due_us = 0;
    enum errc rc = operations_next_due(db, node_id, &due_us, err);
    if (rc != OK || due_us > now_us) {
        return rc; // the statement below makes scratch tables even if nothing is due
    }
    DB_ROWS(rows);
    // The condition stands twice, because PostgreSQL may look at a row again after another node's claim.
    rc = db_query(db, &rows, err,
                  "UPDATE operations SET next_attempt_us = $2, node_id = $4 WHERE (subject_id, kind) IN"
                  " (SELECT subject_id, kind FROM operations WHERE next_attempt_us <= $1"
                  " AND " NODES_MAY_CLAIM("$5") " ORDER BY next_attempt_us LIMIT $3" FREE_ONLY ")"
                                                " AND next_attempt_us <= $1 RETURNING " NAMES,
                  DB_I64(now_us), DB_I64(now_us + lease_us), DB_I64((int64_t)max), DB_ID_OR_NULL(node_id),
                  DB_ID(node_id));
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            read_row(&rows, arena, &operations[*count]);
            operations[(*count)++].damaged = db_take_damage(db);
        }
    }
    return rc;
}

enum errc operations_linger(struct db *db, const struct uuid *merchant_id, const char *kind, int64_t from_us,
                            int64_t moment_us, int64_t now_us, bool *any, struct err *err)
{
    DB_ROWS(rows);
    return db_first(db, &rows, any, err,
                    "SELECT 1 FROM operations WHERE kind = $1 AND merchant_id = $5 AND created_us > $2"
                    " AND created_us NOT BETWEEN $3 AND $4 LIMIT 1",
                    DB_STR(kind), DB_I64(from_us), DB_I64(now_us - moment_us + 1), DB_I64(now_us),
                    DB_ID(merchant_id));
}

enum errc operations_distrust_clock(struct db *db, const char *const kinds[2], int64_t now_us,
                                    int64_t step_us, struct err *err)
{
    return db_run(
        db, NULL, err,
        "UPDATE operations SET look_up = CASE WHEN body IS NULL OR kind IN ($3, $4) THEN look_up ELSE 1 END,"
        " absent_us = CASE WHEN body IS NOT NULL THEN 0 WHEN absent_us > $1 THEN $1 ELSE absent_us END,"
        " next_attempt_us = $1, created_us = created_us + $2",
        DB_I64(now_us), DB_I64(step_us < 0 ? step_us : 0), DB_STR(kinds[0]), DB_STR(kinds[1]));
}

// If the clock was ahead by no more than this, an operation just waits.
#define AHEAD_BEARABLE_US (24 * INT64_C(3600000000))

enum errc operations_distrust_future(struct db *db, const char *kind, int64_t now_us, struct err *err)
{
    enum errc rc =
        db_run(db, NULL, err, "UPDATE operations SET absent_us = $1 WHERE absent_us > $1", DB_I64(now_us));
    if (rc != OK) {
        return rc;
    }
    return db_run(db, NULL, err,
                  "UPDATE operations SET look_up = 1, created_us = $1 WHERE kind = $2 AND created_us > $3",
                  DB_I64(now_us), DB_STR(kind), DB_I64(now_us + AHEAD_BEARABLE_US));
}

enum errc operations_release_leases(struct db *db, int64_t now_us, int64_t lease_us, int64_t *count,
                                    struct err *err)
{
    return db_run(db, count, err,
                  "UPDATE operations SET next_attempt_us = $1 WHERE next_attempt_us > $1"
                  " AND (next_attempt_us <= $2 OR created_us > $1)",
                  DB_I64(now_us), DB_I64(now_us + lease_us));
}

enum errc operations_release_ended(struct db *db, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE operations SET next_attempt_us = $1, node_id = NULL WHERE " NODES_LEASE_ENDED,
                  DB_I64(now_us));
}
