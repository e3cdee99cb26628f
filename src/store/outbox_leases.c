// What becomes of leases whose holder has ended, and of times that a wrong clock wrote. Database threads.
#include "store/nodes.h"
#include "store/outbox_private.h"

// Walks every row that has a time, once, at start.
enum errc outbox_release_leases(struct db *db, int64_t now_us, int64_t *count, struct err *err)
{
    return db_run(db, count, err,
                  "UPDATE outbox SET status = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END,"
                  " next_attempt_us = $1 WHERE status = 'processing' AND " HAS_TIME,
                  DB_I64(now_us));
}

enum errc outbox_release_ended(struct db *db, int64_t now_us, struct err *err)
{
    return db_run(db, NULL, err,
                  "UPDATE outbox SET status = CASE WHEN attempts = 0 THEN 'pending' ELSE 'retrying' END,"
                  " next_attempt_us = $1, node_id = NULL WHERE " NODES_LEASE_ENDED " AND " HAS_TIME,
                  DB_I64(now_us));
}

// The longest delay of a schedule plus its jitter: retry_schedule_parse, retry_webhook_delay_us.
#define DELAY_MAX_US INT64_C(725760000000)

enum errc outbox_clock_set_back(struct db *db, int64_t now_us, int64_t back_us, struct err *err)
{
    // At start there may be very many events, and mostly none must change.
    int64_t changed_after_us = back_us > 0 ? now_us : now_us + DELAY_MAX_US;
    enum errc rc =
        db_run(db, NULL, err,
               "UPDATE outbox SET next_attempt_us = CASE WHEN next_attempt_us - $2 > $1"
               " AND next_attempt_us - $2 <= $3 THEN next_attempt_us - $2 ELSE $1 END"
               " WHERE next_attempt_us > $4 AND " HAS_TIME " AND status <> 'processing'",
               DB_I64(now_us), DB_I64(back_us), DB_I64(now_us + DELAY_MAX_US), DB_I64(changed_after_us));
    if (rc != OK) {
        return rc;
    }
    // created_us decides how long a parked event waits for an endpoint.
    return db_run(db, NULL, err,
                  "UPDATE outbox SET created_us = $1 WHERE next_attempt_us IS NOT NULL AND created_us > $1",
                  DB_I64(now_us));
}
