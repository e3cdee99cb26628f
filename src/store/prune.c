// See prune.h. Ids are in order of time, so primary keys serve as indexes on age.
#include "store/prune.h"

#include "base/require.h"
#include "base/timefmt.h"
#include "store/credentials.h"
#include "store/payments.h"

static enum errc delete_rows(struct db *db, int64_t max, bool *more, const char *sql, struct db_value before,
                             struct err *err)
{
    int64_t removed = 0;
    const struct db_value values[] = {before, DB_I64(max)};
    enum errc rc = db_run_values(db, &removed, err, sql, values, COUNT_OF(values));
    *more = removed == max;
    return rc;
}

enum errc prune_replies(struct db *db, int64_t before_us, int64_t max, bool *more, struct err *err)
{
    struct uuid before = uuid_first_of(before_us / US_PER_MS);
    return delete_rows(db, max, more,
                       "DELETE FROM replies WHERE subject_id IN"
                       " (SELECT subject_id FROM replies WHERE subject_id < $1 ORDER BY subject_id LIMIT $2)",
                       DB_ID(&before), err);
}

enum errc prune_inbox(struct db *db, int64_t before_us, int64_t max, bool *more, struct err *err)
{
    return delete_rows(db, max, more,
                       "DELETE FROM inbox WHERE (merchant_id, livemode, event_id) IN"
                       " (SELECT merchant_id, livemode, event_id FROM inbox WHERE received_us < $1"
                       " ORDER BY received_us LIMIT $2)",
                       DB_I64(before_us), err);
}

// Where a step ends that looks at `max` rows from `after` on: at an id, which `sql` selects, or, if fewer
// rows were made before that time, at the time.
static enum errc end_of_step(struct db *db, const char *sql, const struct uuid *after, int64_t before_us,
                             int64_t max, struct uuid *end, bool *more, struct err *err)
{
    struct uuid before = uuid_first_of(before_us / US_PER_MS);
    const struct db_value values[] = {DB_ID(after), DB_ID(&before), DB_I64(max - 1)};
    DB_ROWS(rows);
    enum errc rc = db_first_values(db, &rows, more, err, sql, values, COUNT_OF(values));
    *end = *more ? db_uuid(&rows, 0) : before;
    return rc;
}

enum errc prune_commits(struct db *db, int64_t before_us, int64_t max, struct uuid *after, bool *more,
                        struct err *err)
{
    struct uuid end = {{0}};
    enum errc rc =
        end_of_step(db, "SELECT id FROM commits WHERE id > $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3",
                    after, before_us, max, &end, more, err);
    if (rc == OK) {
        rc = db_run(db, NULL, err, "DELETE FROM commits WHERE id > $1 AND id <= $2", DB_ID(after),
                    DB_ID(&end));
    }
    *after = end;
    return rc;
}

enum errc prune_outbox(struct db *db, int64_t before_us, int64_t max, struct uuid *after, bool *more,
                       struct err *err)
{
    struct uuid end = {{0}};
    enum errc rc =
        end_of_step(db, "SELECT id FROM outbox WHERE id > $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3",
                    after, before_us, max, &end, more, err);
    if (rc == OK) {
        rc =
            db_run(db, NULL, err, "DELETE FROM outbox WHERE id > $1 AND id <= $2 AND next_attempt_us IS NULL",
                   DB_ID(after), DB_ID(&end));
    }
    *after = end;
    return rc;
}

enum errc prune_history(struct db *db, int64_t before_us, int64_t max, struct uuid *after, bool *more,
                        struct err *err)
{
    struct uuid end = {{0}};
    enum errc rc = end_of_step(db,
                               "SELECT payment_id FROM payment_history WHERE payment_id > $1"
                               " AND payment_id < $2 ORDER BY payment_id, id LIMIT 1 OFFSET $3",
                               after, before_us, max, &end, more, err);
    if (rc == OK) {
        rc = db_run(db, NULL, err,
                    "DELETE FROM payment_history WHERE payment_id > $1 AND payment_id <= $2 AND at_us < $3"
                    " AND what <> $4",
                    DB_ID(after), DB_ID(&end), DB_I64(before_us), DB_STR(PAYMENT_REOPENED));
    }
    *after = end;
    return rc;
}

// Credentials that have a replaced key. They are locked: a key that is being replaced now is not old.
static enum errc find_replaced(struct db *db, const struct uuid *after, const struct uuid *end,
                               int64_t before_us, int64_t max, struct uuid *found, size_t *count,
                               struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT id FROM credentials WHERE id > $1 AND id <= $2 AND updated_us < $3"
                            " AND EXISTS (SELECT 1 FROM credential_versions v WHERE v.secret_key IS NOT NULL"
                            " AND v.credential_id = credentials.id AND v.id <> credentials.version_id)"
                            " LIMIT $4" FREE_ONLY,
                            DB_ID(after), DB_ID(end), DB_I64(before_us), DB_I64(max));
    *count = 0;
    for (bool has = true; rc == OK && has;) {
        rc = db_next(&rows, &has, err);
        if (rc == OK && has) {
            found[(*count)++] = db_uuid(&rows, 0);
        }
    }
    return rc;
}

enum errc prune_replaced_keys(struct db *db, int64_t before_us, int64_t max, struct uuid *after, bool *more,
                              struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct uuid *replaced = arena_alloc(&arena, (size_t)max * sizeof(*replaced));
    struct uuid end = {{0}};
    size_t count = 0;
    enum errc rc =
        end_of_step(db, "SELECT id FROM credentials WHERE id > $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3",
                    after, before_us, max, &end, more, err);
    if (rc == OK) {
        rc = find_replaced(db, after, &end, before_us, max, replaced, &count, err);
    }
    for (size_t i = 0; rc == OK && i < count; i++) {
        rc = credential_versions_wipe(db, &replaced[i], err);
    }
    *after = end;
    return rc;
}
