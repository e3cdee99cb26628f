// Queries on how far events have been asked for.
#include "store/event_feeds.h"

enum errc event_feed_get(struct db *db, const struct uuid *credential_id, struct arena *arena,
                         struct event_feed *feed, struct err *err)
{
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT since_s, at_s, width_s, page FROM event_feeds WHERE credential_id = $1",
                            DB_ID(credential_id));
    bool has = false;
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    if (rc == OK && !has) {
        return err_set(err, ERR_NOT_FOUND, "events were never asked for with these credentials");
    }
    if (rc == OK) {
        *feed = (struct event_feed){
            .credential_id = *credential_id,
            .since_s = db_i64(&rows, 0),
            .at_s = db_i64(&rows, 1),
            .width_s = db_i64(&rows, 2),
            .page = db_text(&rows, 3, arena),
        };
    }
    return rc;
}

enum errc event_feed_put(struct db *db, const struct event_feed *feed, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE event_feeds SET since_s = $2, at_s = $3, width_s = $4, page = $5"
                  " WHERE credential_id = $1",
                  DB_ID(&feed->credential_id), DB_I64(feed->since_s), DB_I64(feed->at_s),
                  DB_I64(feed->width_s), DB_STR(feed->page));
}

// A round that has ended stands at its beginning, so both move together.
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
        "(SELECT p.id FROM payments p WHERE p.merchant_id = c.merchant_id AND p.livemode = c.livemode"
        " ORDER BY p.id DESC LIMIT 1),"
        " (SELECT k.id FROM cards k WHERE k.merchant_id = c.merchant_id AND k.livemode = c.livemode"
        " AND k.status = 'active' ORDER BY k.id DESC LIMIT 1)) AS used"
        " FROM credentials c WHERE c.is_active = 1) AS those WHERE used IS NOT NULL"
        " ON CONFLICT (subject_id, kind) DO UPDATE SET attempts = 0,"
        " next_attempt_us = excluded.next_attempt_us",
        DB_STR(kind), DB_I64(now_us), DB_I64(pace_us));
}

enum errc event_feed_hurry(struct db *db, const struct uuid *version_id, const char *kind, int64_t due_us,
                           struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE operations SET next_attempt_us = $3 WHERE subject_id ="
                  " (SELECT credential_id FROM credential_versions WHERE id = $1) AND kind = $2"
                  " AND attempts = 0 AND next_attempt_us > $3",
                  DB_ID(version_id), DB_STR(kind), DB_I64(due_us));
}

enum errc event_feed_is_used(struct db *db, const struct uuid *merchant_id, bool livemode, int64_t since_us,
                             bool *used, struct err *err)
{
    struct uuid first = uuid_first_of(since_us / 1000);
    DB_ROWS(rows);
    enum errc rc = db_query(db, &rows, err,
                            "SELECT 1 FROM payments WHERE merchant_id = $1 AND livemode = $2 AND id >= $3"
                            " LIMIT 1",
                            DB_ID(merchant_id), DB_I64(livemode), DB_ID(&first));
    return rc == OK ? db_next(&rows, used, err) : rc;
}
