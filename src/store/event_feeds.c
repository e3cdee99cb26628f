// Queries on how far events have been fetched.
#include "store/event_feeds.h"

#include "store/columns.h"

// clang-format off
#define COLUMNS(FIRST, NEXT)       \
    FIRST(since_s, I64,  since_s)  \
    NEXT (at_s,    I64,  at_s)     \
    NEXT (width_s, I64,  width_s)  \
    NEXT (page,    TEXT, page)
// clang-format on

enum errc event_feed_get(struct db *db, const struct uuid *credential_id, struct arena *arena,
                         struct event_feed *row, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_one(db, &rows, "events were never asked for with these credentials", err,
                          "SELECT " COLUMN_NAMES(COLUMNS) " FROM event_feeds WHERE credential_id = $1",
                          DB_ID(credential_id));
    if (rc == OK) {
        row->credential_id = *credential_id;
        COLUMN_READ(COLUMNS, &rows);
    }
    return rc;
}

enum errc event_feed_put(struct db *db, const struct event_feed *row, struct err *err)
{
    return db_run(db, NULL, err, "UPDATE event_feeds SET " COLUMN_SET(2, COLUMNS) " WHERE credential_id = $1",
                  DB_ID(&row->credential_id), COLUMN_VALUES(COLUMNS));
}

// After a round, at_s equals since_s, so both move together.
#define GOES_ON                                                                                              \
    " AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.subject_id = c.id AND o.kind = $1)"                 \
    " ON CONFLICT (credential_id) DO UPDATE SET since_s = CASE WHEN excluded.since_s > event_feeds.since_s"  \
    " THEN excluded.since_s ELSE event_feeds.since_s END,"                                                   \
    " at_s = CASE WHEN excluded.since_s > event_feeds.since_s"                                               \
    " THEN excluded.since_s ELSE event_feeds.since_s END, page = NULL"

enum errc event_feed_open(struct db *db, const struct uuid *credential_id, const char *kind, int64_t from_s,
                          struct err *err)
{
    return db_run(db, NULL, err,
                  "INSERT INTO event_feeds (credential_id, since_s, at_s, width_s)"
                  " SELECT c.id, $2, $2, 0 FROM credentials c WHERE c.id = $3" GOES_ON,
                  DB_STR(kind), DB_I64(from_s), DB_ID(credential_id));
}

enum errc event_feeds_open(struct db *db, const char *kind, int64_t from_s, struct err *err)
{
    return db_run(
        db, NULL, err,
        "INSERT INTO event_feeds (credential_id, since_s, at_s, width_s)"
        " SELECT c.id, CASE WHEN c.created_us / 1000000 > $2 THEN c.created_us / 1000000 ELSE $2 END,"
        " CASE WHEN c.created_us / 1000000 > $2 THEN c.created_us / 1000000 ELSE $2 END, 0"
        " FROM credentials c WHERE c.is_active = 1" GOES_ON,
        DB_STR(kind), DB_I64(from_s));
}

enum errc event_feeds_ask(struct db *db, const char *kind, int64_t now_us, int64_t pace_us, struct err *err)
{
    return db_run(
        db, NULL, err,
        "INSERT INTO operations (subject_id, kind, merchant_id, livemode, credential_version_id, attempts,"
        " unresolved, look_up, next_attempt_us, created_us)"
        " SELECT id, $1, merchant_id, livemode, version_id, 0, 0, 0,"
        " $2 + $3 * row_number() OVER (ORDER BY used DESC), $2 FROM"
        " (SELECT c.id, c.merchant_id, c.livemode, c.version_id, coalesce("
        "(SELECT id FROM payments p WHERE p.merchant_id = c.merchant_id AND p.livemode = "
        "c.livemode" NEWEST_FIRST " LIMIT 1),"
        " (SELECT id FROM cards k WHERE k.merchant_id = c.merchant_id AND k.livemode = c.livemode"
        " AND k.status = 'active'" NEWEST_FIRST " LIMIT 1)) AS used"
        " FROM credentials c WHERE c.is_active = 1) AS those WHERE used IS NOT NULL"
        " ON CONFLICT (subject_id, kind) DO UPDATE SET attempts = 0,"
        " next_attempt_us = CASE WHEN operations.next_attempt_us > $2"
        " AND operations.next_attempt_us < excluded.next_attempt_us"
        " THEN operations.next_attempt_us ELSE excluded.next_attempt_us END",
        DB_STR(kind), DB_I64(now_us), DB_I64(pace_us));
}

// The time is hidden from the planner: with the statistics of a small table, PostgreSQL searched all
// operations that wait.
enum errc event_feed_hurry(struct db *db, const struct uuid *version_id, const char *kind, int64_t due_us,
                           struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE operations SET next_attempt_us = $3 WHERE subject_id ="
                  " (SELECT credential_id FROM credential_versions WHERE id = $1) AND kind = $2"
                  " AND attempts = 0 AND coalesce(next_attempt_us, 0) > $3",
                  DB_ID(version_id), DB_STR(kind), DB_I64(due_us));
}

enum errc event_feed_is_used(struct db *db, const struct uuid *merchant_id, bool livemode, int64_t since_us,
                             bool *used, struct err *err)
{
    struct uuid first = uuid_first_of(since_us / 1000);
    DB_ROWS(rows);
    return db_first(db, &rows, used, err,
                    "SELECT 1 FROM payments WHERE merchant_id = $1 AND livemode = $2 AND id >= $3"
                    " LIMIT 1",
                    DB_ID(merchant_id), DB_I64(livemode), DB_ID(&first));
}
